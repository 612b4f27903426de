"""From the command line to a checked run."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.runs.checks import (
    check_devices,
    check_evaluation,
    check_network,
    check_training,
)
from semanir_arch.runs.result_names import check_set_names
from semanir_arch.runs.run import Run
from semanir_arch.utils import processes
from semanir_arch.utils.options import (
    OptionError,
    Problem,
    Resolved,
    check_files,
    resolve,
    validate,
)
from semanir_arch.utils.options.problems import shown

__all__ = ["complete_options", "prepare_run", "to_run"]


def complete_options(file: str, overrides: Sequence[str], is_train: bool) -> Resolved:
    """Resolve and validate an option file.

    A test leaves out training data, unless the file is a plain one of BasicSR.

    Raises:
        OptionError: Everything that is wrong with it.
        HostError: BasicSR cannot be used.
    """
    resolved = resolve(file, overrides, "train" if is_train else "test")
    if is_train and resolved.inherits and "train" not in resolved.options:
        text = "missing; this file describes only a test; run it with test.py"
        raise OptionError(Problem(shown(resolved.path), ("train",), text))
    # Imported here, because it imports BasicSR: a wrong file name should be told at once.
    from semanir_arch.runs.class_schemas import build_catalogue

    for problem in validate(resolved, build_catalogue(), is_train):
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"note: {problem}\n")
    return resolved


def prepare_run(arguments: Namespace, is_train: bool) -> Run:
    """Everything that happens before BasicSR builds anything.

    Args:
        arguments: Result of `parse_arguments`.
        is_train: Training or test.

    Raises:
        OptionError: Options are wrong, or name files or devices that are not there.
        CheckpointError: The weights to start from cannot be used.
        HostError: BasicSR cannot be used.
    """
    resolved = complete_options(arguments.opt, arguments.force_yml, is_train)
    check_devices(resolved)
    check_files(resolved)
    check_network(resolved)
    check_evaluation(resolved)
    check_set_names(resolved)
    if is_train:
        check_training(resolved)
    return to_run(resolved, arguments)


def to_run(resolved: Resolved, arguments: Namespace) -> Run:
    """One training or test of checked options.

    Args:
        resolved: Complete options.
        arguments: Result of `parse_arguments`.
    """
    launcher = arguments.launcher
    if launcher == "none" and processes.started_by_torchrun(os.environ):
        launcher = "pytorch"
    return Run(
        root=Path.cwd(),
        file=resolved.path.name,
        options=resolved.options,
        launcher=launcher,
        # torchrun has started the run again after a failure.
        auto_resume=arguments.auto_resume or processes.restarts(os.environ) > 0,
        debug=arguments.debug,
        inherits=resolved.inherits,
    )
