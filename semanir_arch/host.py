"""BasicSR 1.4.2 as host: how it is imported, and the repairs it needs.

`prepare` makes it importable. `semanir_arch.runs.run` replaces its faulty functions while a run
lasts; its loops for training and testing are replaced for good, by `semanir_arch.training` and
`semanir_arch.runs`. Nothing of BasicSR is copied: each repair wraps or replaces one function, and
names the thread that reports the defect.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from semanir_arch.utils.errors import UserError
from semanir_arch.utils.repairs import COMMAND

__all__ = [
    "HostError",
    "check_foreign",
    "checked_run",
    "describe_versions",
    "judge_foreign",
    "load",
    "prepare",
]

_FUNCTIONAL_TENSOR = "torchvision.transforms.functional_tensor"


class HostError(UserError, ImportError):
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


def judge_foreign(check: Callable[[dict[str, Any]], None]) -> None:
    """Let options be checked that a script of BasicSR's hands to a model of this package.

    Args:
        check: Function that gets the options as BasicSR parsed them; raises ValueError for what
            cannot be used.
    """
    _Judge.check = check


def check_foreign(options: dict[str, Any]) -> None:
    """Check the options of a model, unless a run of this package has checked them.

    Args:
        options: Options as the model gets them.

    Raises:
        ValueError: See `judge_foreign`.
    """
    # only BasicSR's own parser writes this key
    if _Judge.check is not None and not _Judge.runs and "auto_resume" in options:
        _Judge.check(options)


@contextmanager
def checked_run() -> Generator[None, None, None]:
    """Until the block ends, models get options that have been checked."""
    _Judge.runs += 1
    try:
        yield
    finally:
        _Judge.runs -= 1


class _Judge:
    """Who checks options, and how many runs with checked ones are open."""

    check: Callable[[dict[str, Any]], None] | None = None
    runs = 0


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
            "BasicSR is not installed; training and testing need it. This installs it with what "
            f"it needs, without a second torch: {COMMAND}"
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
                f"{COMMAND}"
            )


def describe_versions() -> str:
    """Versions of BasicSR and torch in one line; BasicSR's own has a picture above it."""
    versions = {name: load(name).__version__ for name in ("basicsr", "torch", "torchvision")}
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items())
