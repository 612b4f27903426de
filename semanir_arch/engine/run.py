"""From the command line to a finished run, with one message when something is wrong."""

from __future__ import annotations

import os
import re
import shlex
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import semanir_arch
from semanir_arch.archs import NETWORKS, build_network
from semanir_arch.host import HostError, Pipeline, find_launcher
from semanir_arch.utils.checkpoint import check_fit, load_checkpoint
from semanir_arch.utils.options import (
    OptionError,
    Problem,
    Resolved,
    check_files,
    resolve,
    to_yaml,
    validate,
)

__all__ = [
    "INTERRUPTED",
    "REFUSED",
    "complete_options",
    "explain_interrupt",
    "prepare_run",
    "report_refusal",
]

REFUSED = 2
"""Exit code when something the user gave cannot be used."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""


def complete_options(file: str, overrides: Sequence[str], is_train: bool) -> Resolved:
    """Resolve and validate an option file.

    Raises:
        OptionError: Everything that is wrong with it.
        HostError: BasicSR cannot be used.
    """
    resolved = resolve(file, overrides)
    # Imported here, because it imports BasicSR: a wrong file name should be told at once.
    from semanir_arch.engine.catalogue import build_catalogue

    validate(resolved, build_catalogue(), is_train)
    return resolved


def prepare_run(arguments: Namespace, is_train: bool) -> tuple[Pipeline, dict[str, Any]]:
    """Everything that happens before BasicSR builds anything.

    Args:
        arguments: From `parse_arguments`.
        is_train: Training or test.

    Returns:
        The run, and its options.

    Raises:
        OptionError: Options are wrong, or name files or devices that are not there.
        CheckpointError: The weights to start from cannot be used.
        HostError: BasicSR cannot be used.
    """
    resolved = complete_options(arguments.opt, arguments.force_yml, is_train)
    check_devices(resolved)
    if resolved.inherits:
        check_files(resolved)
    check_network(resolved)
    launcher = arguments.launcher
    if launcher == "none":
        launcher = find_launcher(dict(os.environ))
    pipeline = Pipeline(
        root=Path.cwd(),
        file=resolved.path.name,
        options=to_yaml(resolved.options),
        launcher=launcher,
        auto_resume=arguments.auto_resume,
        debug=arguments.debug,
    )
    return pipeline, resolved.options


def check_devices(resolved: Resolved) -> None:
    """Compare `num_gpu` with the GPUs there are.

    Raises:
        OptionError: More are asked for.
    """
    wanted, present = resolved.options.get("num_gpu"), torch.cuda.device_count()
    if isinstance(wanted, int) and wanted > present:
        text = f"received {wanted}, but torch finds {present} here; allowed: 0 to {present}, auto"
        raise OptionError(Problem(resolved.merged.origin(("num_gpu",)), ("num_gpu",), text))


def check_network(resolved: Resolved) -> None:
    """Build a network of this package without memory, and compare it with the weights to load.

    Raises:
        OptionError: Its arguments contradict each other.
        CheckpointError: The weights are unreadable or belong to another network.
    """
    block, path = (resolved.options.get(key) or {} for key in ("network_g", "path"))
    if block.get("type") not in NETWORKS:
        return
    try:
        with torch.device("meta"):
            network = build_network(block)
    except (ValueError, TypeError) as error:
        key = ("network_g",)
        raise OptionError(Problem(resolved.merged.origin(key), key, str(error))) from error
    weights = path.get("pretrain_network_g")
    if weights and path.get("strict_load_g", True):
        check_fit(network, load_checkpoint(weights))


def report_refusal(error: Exception) -> int:
    """Tell the user what cannot be used, in one message.

    Args:
        error: What was raised. Errors that this package raised on purpose speak for themselves;
            all others are raised again, with their traceback.

    Returns:
        The exit code.
    """
    source, message = _find_source(error)
    package = str(Path(semanir_arch.__file__).parent)
    if not isinstance(error, (OptionError, HostError)) and not source.startswith(package):
        raise error
    sys.stderr.write(f"error: {message}\n")
    return REFUSED


def explain_interrupt(argv: Sequence[str], name: str) -> int:
    """Say how to continue after Ctrl-C.

    Args:
        argv: Arguments of train.py.
        name: Name of the run.

    Returns:
        The exit code.
    """
    states = (Path.cwd() / "experiments" / name / "training_states").glob("*.state")
    saved = max((int(state.stem) for state in states if state.stem.isdigit()), default=None)
    command = shlex.join(["python", sys.argv[0], *argv])
    if saved is None:
        message = f"Interrupted before a state was saved. Start again with: {command}"
    else:
        flag = "" if "--auto_resume" in argv else " --auto_resume"
        message = f"Interrupted; iteration {saved} is saved. Continue with: {command}{flag}"
    sys.stderr.write(f"\n{message}\n")
    return INTERRUPTED


def _find_source(error: Exception) -> tuple[str, str]:
    """The file that raised an error, and its message.

    torch hands on what a loading process raised as one text, with the traceback inside.
    """
    from_worker = re.search(
        r'.*^  File "(.+?)", line .*?^\w+: (.*)', str(error), re.DOTALL | re.MULTILINE
    )
    if from_worker and "in DataLoader worker process" in str(error):
        return from_worker[1], from_worker[2].strip()
    return traceback.extract_tb(error.__traceback__)[-1].filename, str(error)
