"""BasicSR 1.4.2 as host: how it is imported, and the repairs it needs.

This is the only module that knows BasicSR's defects. `prepare` makes it importable; `Pipeline` runs
its training and its test with the faulty functions replaced for the duration of the run. Nothing
of BasicSR is copied: each repair wraps or replaces one function, and names the thread that reports
the defect.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
import multiprocessing
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from semanir_arch.utils.checkpoint import CheckpointError, load_state

__all__ = ["HostError", "Pipeline", "find_launcher", "load", "prepare"]

_LOGGER = logging.getLogger(__name__)
_FUNCTIONAL_TENSOR = "torchvision.transforms.functional_tensor"


class HostError(ImportError):
    """BasicSR, or something it needs, cannot be used; the message says what to do."""


def prepare() -> None:
    """Make `import basicsr` work. May be called at any time, any number of times.

    Raises:
        HostError: torchvision or BasicSR is missing or broken, or another package is in its place.
    """
    _check_torchvision()
    _provide_functional_tensor()
    _provide_distutils()
    _check_basicsr()


def load(name: str) -> ModuleType:
    """Import a module of BasicSR.

    Args:
        name: Full name, for example `basicsr.models.sr_model`.

    Raises:
        HostError: See `prepare`.
    """
    prepare()
    return importlib.import_module(name)


def find_launcher(environment: dict[str, str]) -> str:
    """BasicSR's `--launcher` for a process that torchrun started: it sets RANK and WORLD_SIZE.

    https://github.com/XPixelGroup/BasicSR/issues/626

    Args:
        environment: Variables of the process.
    """
    return "pytorch" if {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= environment.keys() else "none"


def _check_torchvision() -> None:
    """Turn a failing torchvision into one message.

    A build for another torch fails with RuntimeError (`operator torchvision::nms does not exist`):
    https://github.com/pytorch/vision/issues/8985
    """
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError) as error:
        raise HostError(
            f"torchvision cannot be imported ({error}). BasicSR needs it, in the build that "
            f"belongs to torch {torch.__version__}: install both together, from the same index"
        ) from error


def _provide_functional_tensor() -> None:
    """Give back the module that torchvision 0.17 removed and BasicSR 1.4.2 imports.

    https://github.com/XPixelGroup/BasicSR/issues/533, fixed after the last release (#650).
    """
    if importlib.util.find_spec(_FUNCTIONAL_TENSOR) is not None:
        return
    functional = importlib.import_module("torchvision.transforms.functional")
    _provide(_FUNCTIONAL_TENSOR, rgb_to_grayscale=functional.rgb_to_grayscale)


def _provide_distutils() -> None:
    """Give back the one name of distutils that BasicSR compares versions with.

    Python 3.12 has no distutils; setuptools brings a replacement, where it is installed.
    """
    if importlib.util.find_spec("distutils") is not None:
        return
    version = importlib.import_module("torch.torch_version")
    _provide("distutils")
    _provide("distutils.version", LooseVersion=version.TorchVersion)


def _provide(name: str, **attributes: object) -> None:
    module = ModuleType(name, "Stands in for a module that is gone; see semanir_arch.host.")
    # Without a spec, importlib.util.find_spec would fail on the module the next time.
    module.__spec__ = importlib.util.spec_from_loader(name, loader=None)
    vars(module).update(attributes)
    sys.modules[name] = module


def _check_basicsr() -> None:
    """Recognise the packages of other repositories that are called `basicsr` too.

    https://github.com/swz30/Restormer and others install an edited copy under the same name.
    """
    spec = importlib.util.find_spec("basicsr")
    if spec is None or not spec.submodule_search_locations:
        raise HostError(
            "BasicSR is not installed. Install it without its build environment, which would "
            "download another torch: pip install --no-build-isolation --no-deps basicsr==1.4.2"
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    for file, name in (
        ("archs/__init__.py", "build_network"),
        ("utils/registry.py", "ARCH_REGISTRY"),
    ):
        path = folder / file
        if not path.is_file() or name not in path.read_text(encoding="utf-8"):
            raise HostError(
                f"the package basicsr in {folder} is not BasicSR 1.4.2 (it has no {name}); several "
                "repositories install an edited copy under this name. Use a fresh environment, or: "
                "pip uninstall basicsr; pip install --no-build-isolation --no-deps basicsr==1.4.2"
            )


@dataclass
class Pipeline:
    """One run of BasicSR's training or test.

    Args:
        root: Folder in which experiments/, results/ and tb_logger/ are made.
        file: Name of the option file, under which the options are copied into the experiment.
        options: Complete option file as YAML.
        launcher: BasicSR's `--launcher`.
        auto_resume: Continue from the newest saved state that can be read.
        debug: BasicSR's `--debug`.
        model: Set by the run: the model it built.
    """

    root: Path
    file: str
    options: str
    launcher: str = "none"
    auto_resume: bool = False
    debug: bool = False
    model: Any = None
    _resumed: dict[str, int] = field(default_factory=lambda: {"epoch": 0, "iter": 0})

    def train(self) -> None:
        """Run `basicsr.train.train_pipeline`."""
        module = load("basicsr.train")
        with self._repaired(module) as stack:
            _replace(stack, module, "load_resume_state", self._load_resume_state)
            _wrap(stack, module, "create_train_val_dataloader", self._count_passes)
            _wrap(stack, module, "MessageLogger", _count_to_the_end)
            module.train_pipeline(str(self.root))

    def test(self) -> None:
        """Run `basicsr.test.test_pipeline`."""
        module = load("basicsr.test")
        with self._repaired(module):
            module.test_pipeline(str(self.root))

    @contextmanager
    def _repaired(self, module: ModuleType) -> Iterator[ExitStack]:
        """Replace what both pipelines share, until the run ends."""
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="semanir_options_"))
            stack.callback(_stop_processes)
            path = Path(folder) / self.file
            path.write_text(self.options, encoding="utf-8")
            _wrap(stack, module, "parse_options", partial(self._parse_options, path))
            _wrap(stack, module, "build_model", self._keep_model)
            # Hundreds of lines otherwise; the complete options lie in the folder of the run.
            _replace(stack, module, "dict2str", lambda _: f"Options: {self.file}")
            _replace(stack, module, "get_env_info", _describe_versions)
            _wrap(stack, load("basicsr.utils.options"), "init_dist", _start_processes)
            _replace(stack, load("basicsr.data"), "worker_init_fn", seed_worker)
            _wrap(
                stack, load("basicsr.models.base_model").BaseModel, "model_to_device", _distribute
            )
            yield stack

    def _parse_options(
        self, path: Path, original: Callable[..., Any], root: str, is_train: bool
    ) -> tuple[dict[str, Any], Any]:
        """Let BasicSR parse the completed options instead of the user's file.

        BasicSR would take `2e-4` for text, keep the last of two equal keys, and execute
        `--force_yml`; here numbers are written in full and overrides are already in the file,
        which is therefore also the file that BasicSR copies into the experiment.
        """
        command = [sys.argv[0], "-opt", str(path), "--launcher", self.launcher]
        command += ["--auto_resume"] * self.auto_resume + ["--debug"] * self.debug
        with ExitStack() as stack:
            _replace(stack, sys, "argv", command)
            options, arguments = original(root, is_train=is_train)
        if options["num_gpu"] == 0:
            _load_without_gpu(options["datasets"])
        return options, arguments

    def _keep_model(self, original: Callable[..., Any], options: dict[str, Any]) -> Any:
        self.model = original(options)
        return self.model

    def _load_resume_state(self, options: dict[str, Any]) -> dict[str, Any] | None:
        """Find and read the state to continue from, on the CPU.

        BasicSR reads it onto the current CUDA device, looks below the working folder instead of
        the experiment's, and dies when the newest file was cut short by a kill.
        https://github.com/XPixelGroup/BasicSR/issues/107
        https://github.com/XPixelGroup/BasicSR/issues/679
        """
        path = options["path"]
        if self.auto_resume:
            state = _newest_state(options)
        elif path.get("resume_state"):
            state = load_state(path["resume_state"])
        else:
            state = None
        if state is not None:
            load("basicsr.utils").check_resume(options, state["iter"])
            self._resumed = {"epoch": state["epoch"], "iter": state["iter"]}
            # What continues is the trained network, never its average.
            path.update({key: "params" for key in path if key.startswith("param_key")})
        return state

    def _count_passes(
        self, original: Callable[..., Any], options: dict[str, Any], logger: logging.Logger
    ) -> tuple[Any, Any, Any, int, int]:
        """Count passes over the data from the loader itself.

        BasicSR rounds up the iterations of a pass although the loader drops the last batch, and
        forgets that several GPUs in one process share a larger batch, so that it ends early
        without a word: https://github.com/XPixelGroup/HAT/issues/114
        """
        block = options["datasets"]["train"]
        try:
            loader, sampler, validation, _, total = original(options, logger)
        except ZeroDivisionError as error:
            raise ValueError(f"datasets:train: {block['name']} has no images") from error
        if len(loader) == 0:
            raise ValueError(
                f"datasets:train: the {len(loader.sampler)} samples of a pass do not fill one "
                f"batch of {loader.batch_size}; lower batch_size_per_gpu or raise "
                "dataset_enlarge_ratio"
            )
        passes = math.ceil(max(total - self._resumed["iter"], 0) / len(loader))
        logger.info("%d passes over the data to come, of %d iterations each.", passes, len(loader))
        # train_pipeline runs the passes from `epoch` to this number, both included.
        return loader, sampler, validation, self._resumed["epoch"] + passes - 1, total


def seed_worker(*_: object, **__: object) -> None:
    """Seed NumPy and `random` in a loading process from torch, whose seed changes with every pass.

    BasicSR's function takes the same seed in every pass, so that crops, flips and noise repeat.
    """
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)  # noqa: NPY002 - the generator that BasicSR's datasets draw from
    random.seed(seed)


def _newest_state(options: dict[str, Any]) -> dict[str, Any] | None:
    """Newest training state that can be read, together with its networks."""
    path = options["path"]
    states = [file for file in Path(path["training_states"]).glob("*.state") if file.stem.isdigit()]
    for file in sorted(states, key=lambda file: int(file.stem), reverse=True):
        try:
            state = load_state(file)
            for network in (key for key in options if key.startswith("network_")):
                if network not in (path.get("ignore_resume_networks") or []):
                    load_state(
                        Path(path["models"])
                        / f"net_{network.removeprefix('network_')}_{file.stem}.pth"
                    )
        except (CheckpointError, FileNotFoundError) as error:
            _LOGGER.warning("%s. Trying an earlier state.", error)
        else:
            path["resume_state"] = str(file)
            return state
    return None


def _load_without_gpu(datasets: dict[str, Any]) -> None:
    """Turn off loader settings that need a GPU: BasicSR's CUDA prefetcher fails without one."""
    for block in datasets.values():
        block["pin_memory"] = False
        if block.get("prefetch_mode") == "cuda":
            block["prefetch_mode"] = None


def _start_processes(original: Callable[..., None], launcher: str, **arguments: Any) -> None:
    """Join the process group: NCCL between GPUs, gloo without them.

    BasicSR always takes NCCL and divides by the number of GPUs.
    https://github.com/XPixelGroup/BasicSR/issues/107

    Raises:
        ValueError: The process was not started by torchrun, or has no GPU of its own.
    """
    gpus = torch.cuda.device_count()
    if launcher != "pytorch":
        if gpus == 0:
            raise ValueError(f"--launcher {launcher} needs GPUs; without them use torchrun")
        original(launcher, **arguments)
        return
    if "RANK" not in os.environ:
        raise ValueError(
            "--launcher pytorch: start with torchrun --nproc_per_node=N train.py -opt FILE"
        )
    local = int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    if gpus:
        if local >= gpus:
            raise ValueError(
                f"process {local} has no GPU of its own: {gpus} found; lower --nproc_per_node"
            )
        torch.cuda.set_device(local)
        if multiprocessing.get_start_method(allow_none=True) is None:
            # A forked loading process must not inherit CUDA.
            multiprocessing.set_start_method("spawn")
    nccl = gpus > 0 and torch.distributed.is_nccl_available()
    # Both, because `num_gpu: 0` keeps the network on the CPU where there are GPUs too.
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if nccl else "gloo")


def _stop_processes() -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _count_to_the_end(original: Callable[..., Any], *arguments: Any) -> Any:
    """Make the log's time to go end at zero; BasicSR's ends one iteration below."""
    logger = original(*arguments)
    logger.max_iters += 1
    return logger


def _distribute(original: Callable[..., nn.Module], model: Any, network: nn.Module) -> nn.Module:
    """Wrap a network for several processes without GPUs, where BasicSR asks for the CUDA device."""
    if model.opt["dist"] and model.device.type == "cpu":
        unused = model.opt.get("find_unused_parameters", False)
        return nn.parallel.DistributedDataParallel(network, find_unused_parameters=unused)
    return original(model, network)


def _describe_versions() -> str:
    versions = {name: load(name).__version__ for name in ("basicsr", "torch", "torchvision")}
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items())


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
