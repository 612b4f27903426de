"""One training or test: its options as BasicSR parses them, with BasicSR's faults repaired.

Each repair wraps or replaces one function for the duration of the run, and names the thread that
reports the defect.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semanir_arch import host
from semanir_arch.utils import devices, processes
from semanir_arch.utils.checkpoint import save_checkpoint
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import to_yaml

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """One training or test, as its command line asks for it.

    Args:
        root: Folder in which experiments/, results/ and tb_logger/ are made.
        file: Name of the option file.
        options: Complete options.
        launcher: BasicSR's `--launcher`.
        auto_resume: Whether to continue from the newest usable state.
        debug: BasicSR's `--debug`.
        inherits: Whether the option file is one of this package's, not a plain one of BasicSR.
    """

    root: Path
    file: str
    options: dict[str, Any]
    launcher: str = "none"
    auto_resume: bool = False
    debug: bool = False
    inherits: bool = False

    @property
    def name(self) -> str:
        """Name of the run, as BasicSR changes it with `--debug`."""
        name = str(self.options["name"])
        return f"debug_{name}" if self.debug and not name.startswith("debug") else name

    @contextmanager
    def opened(self, is_train: bool) -> Generator[dict[str, Any], None, None]:
        """Join the other processes and repair BasicSR, until the block ends.

        Args:
            is_train: Training or test.

        Returns:
            The options as BasicSR parses them: with paths, phases and the rank of the process.
        """
        with self._repaired():
            yield self.parse(is_train)

    @contextmanager
    def _repaired(self) -> Generator[ExitStack, None, None]:
        """Replace what trainings and tests share."""
        base_model = host.load("basicsr.models.base_model").BaseModel
        with ExitStack() as stack:
            stack.enter_context(host.checked_run())
            stack.callback(processes.leave)
            _wrap(stack, host.load("basicsr.utils.options"), "init_dist", self._start_processes)
            _wrap(stack, base_model, "__init__", _choose_device)
            _wrap(stack, base_model, "model_to_device", _distribute)
            _wrap(stack, base_model, "validation", _validate_unwrapped)
            _wrap(stack, base_model, "save_network", _save_network)
            _wrap(stack, base_model, "save_training_state", _save_training_state)
            yield stack

    def parse(self, is_train: bool) -> dict[str, Any]:
        """Let BasicSR parse the completed options instead of the user's file, and set the seed.

        BasicSR would take `2e-4` for text, keep the last of two equal keys, and execute
        `--force_yml`; here numbers are written in full and overrides are already in the file.

        Args:
            is_train: Training or test.

        Returns:
            Options as from `opened`, inside of which it must be called: another run of the same
            processes may follow there.
        """
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="semanir_options_"))
            path = Path(folder) / self.file
            given, lists = _without_lists_of_roots(self.options)
            if given.get("num_gpu") == "auto":
                # BasicSR counts CUDA's only
                given["num_gpu"] = devices.count()
            path.write_text(to_yaml(given), encoding="utf-8")
            command = [sys.argv[0], "-opt", str(path), "--launcher", self.launcher]
            command += ["--auto_resume"] * self.auto_resume + ["--debug"] * self.debug
            _replace(stack, sys, "argv", command)
            # It prints that there is only one process.
            stack.enter_context(redirect_stdout(io.StringIO()))
            parse_options = host.load("basicsr.utils.options").parse_options
            options, _ = parse_options(str(self.root), is_train=is_train)
        options["root_path"] = str(self.root)
        for block, roots in lists.items():
            options["datasets"][block] |= roots
        if devices.device_of_run(options["num_gpu"]) != "cuda":
            _load_without_cuda(options["datasets"])
        completed: dict[str, Any] = options
        return completed

    def _start_processes(
        self, original: Callable[..., None], launcher: str, **arguments: Any
    ) -> None:
        """Join the other processes: NCCL between GPUs, gloo without them.

        BasicSR always takes NCCL and divides by the number of GPUs.
        https://github.com/XPixelGroup/BasicSR/issues/107

        Raises:
            ValueError: See `processes.join`; or there are no GPUs and torchrun was not used.
        """
        if processes.are_joined():
            return
        if launcher == "pytorch":
            processes.join(os.environ, uses_gpu=self.options.get("num_gpu") != 0)
        elif torch.cuda.device_count() == 0:
            raise InputError(f"--launcher {launcher} needs GPUs (CUDA); without them use torchrun")
        else:
            original(launcher, **arguments)
            processes.complete_join()


def _without_lists_of_roots(
    options: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, dict[str, list[str]]]]:
    """Take out what BasicSR cannot parse: data sets of several folders.

    It calls `expanduser` on the root, as if it were always one:
    https://github.com/XPixelGroup/BasicSR/blob/v1.4.2/basicsr/utils/options.py#L147

    Returns:
        Options without the lists, and the lists by block and key, with the home folder expanded.
    """
    blocks, lists = {}, {}
    for name, block in options.get("datasets", {}).items():
        roots = {
            key: [str(Path(root).expanduser()) for root in value]
            for key, value in block.items()
            if key.startswith("dataroot_") and isinstance(value, list)
        }
        blocks[name] = {key: value for key, value in block.items() if key not in roots}
        lists[name] = roots
    return {**options, "datasets": blocks}, lists


def _load_without_cuda(datasets: dict[str, Any]) -> None:
    """Turn off loader settings that need CUDA: BasicSR's prefetcher fails without it."""
    for block in datasets.values():
        block["pin_memory"] = False
        if block.get("prefetch_mode") == "cuda":
            block["prefetch_mode"] = None


def _choose_device(original: Callable[..., None], model: Any, opt: dict[str, Any]) -> None:
    """Compute on the machine's accelerator, where BasicSR knows no other than CUDA."""
    original(model, opt)
    model.device = torch.device(devices.device_of_run(opt["num_gpu"]))


def _distribute(original: Callable[..., nn.Module], model: Any, network: nn.Module) -> nn.Module:
    """Wrap a network for several processes without GPUs, where BasicSR asks for the CUDA device."""
    if model.opt["dist"] and model.device.type == "cpu":
        unused = model.opt.get("find_unused_parameters", False)
        return nn.parallel.DistributedDataParallel(network, find_unused_parameters=unused)
    return original(model, network)


def _validate_unwrapped(
    original: Callable[..., None], model: Any, *arguments: Any, **keywords: Any
) -> None:
    """Validate with the networks themselves.

    BasicSR's models validate in the first process alone, where the wrapper of a network that has
    buffers waits for the other processes, for ever.
    """
    wrapped = {
        name: network
        for name, network in vars(model).items()
        if isinstance(network, nn.parallel.DistributedDataParallel)
    }
    vars(model).update({name: network.module for name, network in wrapped.items()})
    try:
        original(model, *arguments, **keywords)
    finally:
        vars(model).update(wrapped)


def _save_network(
    _: Callable[..., None],
    model: Any,
    net: Any,
    net_label: str,
    current_iter: int | str,
    param_key: str | list[str] = "params",
) -> None:
    """Write a network atomically, in BasicSR's layout, with the options that rebuild it, or raise.

    BasicSR writes in place, and if the disk is full logs that it will "just ignore it". It reads
    files by their `param_key`, so that the options are in nobody's way.
    """
    if model.opt["rank"] != 0:
        return
    networks, keys = (x if isinstance(x, list) else [x] for x in (net, param_key))
    states = [model.get_bare_model(network).state_dict() for network in networks]
    label = "latest" if current_iter == -1 else current_iter
    content: dict[str, Any] = {
        key: {name.removeprefix("module."): value.cpu() for name, value in state.items()}
        for key, state in zip(keys, states, strict=True)
    }
    option = net_label.replace("net_", "network_", 1)
    if isinstance(model.opt.get(option), Mapping):
        content[option] = _plain(model.opt[option])
        content["metadata"] = {"name": model.opt.get("name"), "iter": current_iter}
    save_checkpoint(Path(model.opt["path"]["models"]) / f"{net_label}_{label}.pth", content)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Nested options as plain dictionaries, for files that are read without running code."""
    return {k: _plain(v) if isinstance(v, Mapping) else v for k, v in options.items()}


def _save_training_state(_: Callable[..., None], model: Any, epoch: int, current_iter: int) -> None:
    """Write optimizers and schedulers atomically, or raise; BasicSR does as with networks."""
    if model.opt["rank"] != 0 or current_iter == -1:
        return
    save_checkpoint(
        Path(model.opt["path"]["training_states"]) / f"{current_iter}.state",
        {
            "epoch": epoch,
            "iter": current_iter,
            "optimizers": [optimizer.state_dict() for optimizer in model.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in model.schedulers],
        },
    )


def _replace(stack: ExitStack, owner: Any, name: str, value: object) -> None:
    """Set an attribute until the stack closes."""
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _wrap(stack: ExitStack, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace a function by `wrapper`, which gets the original as its first argument."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        return wrapper(original, *arguments, **keywords)

    _replace(stack, owner, name, wrapped)
