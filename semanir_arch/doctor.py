"""What is installed, what works, what clashes, and how to repair it.

`python -m semanir_arch.doctor` runs with BasicSR, torchvision or torch missing or broken.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import semanir_arch

__all__ = ["CHECKS", "Problem", "describe_backends", "describe_devices", "main"]

PACKAGES = (
    "torch",
    "torchvision",
    "triton",
    "basicsr",
    "numpy",
    "pillow",
    "pyyaml",
    "scikit-image",
    "tensorboard",
)
"""Distributions whose versions decide whether something works."""

OPENCV_BUILDS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""Distributions that all own the folder `cv2`."""

INSTALL_BASICSR = (
    "pip install '.[train]' 'setuptools<82' wheel cython; "
    "pip install --no-build-isolation --no-deps basicsr==1.4.2"
)


@dataclass(frozen=True)
class Problem:
    """Something that does not work, and the way to repair it.

    Attributes:
        what: The finding.
        repair: Commands or words that repair it.
        broken: Whether something fails; otherwise a part is merely not there, such as training.
    """

    what: str
    repair: str
    broken: bool = True


def installed(package: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def failure(module: str) -> str | None:
    """Why a module cannot be imported, in one line; None if it can be."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return f"{type(error).__name__}: {_first_line(error)}"
    return None


def check_python() -> Iterator[Problem]:
    """BasicSR 1.4.2 does not build on Python 3.13."""
    if int(platform.python_version_tuple()[1]) >= 13:
        yield Problem(
            f"Python {platform.python_version()}: restoring works, training does not, because "
            "BasicSR 1.4.2 cannot be built",
            "for training, make the environment with Python 3.10, 3.11 or 3.12",
            broken=False,
        )


def check_torch() -> Iterator[Problem]:
    """Nothing works without torch."""
    if installed("torch") is None and find_spec("torch") is None:
        yield Problem("torch is not installed", "pip install torch torchvision")
    elif reason := failure("torch"):
        yield Problem(
            f"torch cannot be imported ({reason})",
            "pip uninstall torch torchvision; pip install torch torchvision",
        )


def check_torchvision() -> Iterator[Problem]:
    """Torchvision holds binaries for one version of torch, and one build (CPU or CUDA) of it."""
    torchvision, torch = installed("torchvision"), installed("torch")
    if torchvision is None or torch is None:
        return
    repair = "install both from the same index: pip install --force-reinstall torch torchvision"
    wanted = _torch_wanted_by_torchvision()
    if wanted is not None and torch.split("+")[0] != wanted:
        yield Problem(
            f"torchvision {torchvision} is made for torch {wanted}, not for {torch}", repair
        )
    elif reason := failure("torchvision"):
        yield Problem(f"torchvision {torchvision} cannot be imported ({reason})", repair)


def check_opencv() -> Iterator[Problem]:
    """OpenCV comes as several packages that all own the folder `cv2`."""
    builds = [name for name in OPENCV_BUILDS if installed(name)]
    headless = f"pip uninstall {' '.join(builds)}; pip install opencv-python-headless"
    if len(builds) > 1:
        yield Problem(f"{' and '.join(builds)} overwrite each other's files", headless)
    elif reason := failure("cv2"):
        yield Problem(
            f"OpenCV cannot be imported ({reason})",
            headless if builds else "pip install opencv-python-headless",
        )


def check_tensorboard() -> Iterator[Problem]:
    """BasicSR names tb-nightly, which shares its folder with tensorboard and is dead."""
    if installed("tb-nightly"):
        yield Problem(
            "tb-nightly overwrites tensorboard; uninstalling it alone removes tensorboard's files",
            "pip uninstall -y tb-nightly tensorboard; pip install 'tensorboard>=2.21'",
        )


def check_basicsr() -> Iterator[Problem]:
    """Several repositories install a package called `basicsr`; training needs BasicSR 1.4.2."""
    spec = find_spec("basicsr")
    if spec is None:
        yield Problem(
            "BasicSR is not installed: restoring works, train.py and test.py do not",
            f"make install, or in an environment of your own, in the clone: {INSTALL_BASICSR}",
            broken=False,
        )
        return
    if installed("basicsr") and installed("basicsr-fixed"):
        yield Problem(
            "basicsr and basicsr-fixed overwrite each other's files",
            f"pip uninstall -y basicsr basicsr-fixed; {INSTALL_BASICSR}",
        )
    folder = Path(next(iter(spec.submodule_search_locations or [str(spec.origin)])))
    if not _has_registry(folder):
        yield Problem(
            f"the package basicsr in {folder} is not BasicSR: it has no ARCH_REGISTRY",
            f"remove or rename that folder, or: pip uninstall -y basicsr; {INSTALL_BASICSR}",
        )
    elif failure("torch") is None and (reason := failure("semanir_arch.plugin")):
        yield Problem(
            f"BasicSR in {folder} cannot be used ({reason})",
            "repair what is named above or in the message; else make the environment anew: "
            "rm -r .venv; make install",
        )


CHECKS: tuple[Callable[[], Iterator[Problem]], ...] = (
    check_python,
    check_torch,
    check_torchvision,
    check_opencv,
    check_tensorboard,
    check_basicsr,
)


def describe_versions() -> Iterator[str]:
    """Lines with the versions of Python, the system, and the packages that matter."""
    yield f"semanir_arch {semanir_arch.__version__} in {Path(semanir_arch.__file__).parent}"
    yield f"Python {platform.python_version()} on {platform.platform()}"
    for package in (*PACKAGES, *filter(installed, OPENCV_BUILDS)):
        yield f"{package} {installed(package) or 'not installed'}"


def describe_devices() -> Iterator[str]:
    """Lines with the processors that torch can use; needs torch."""
    import torch

    yield (
        f"cpu: {os.cpu_count()} logical cores, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        gpu = torch.cuda.get_device_properties(index)
        yield (
            f"cuda:{index}: {gpu.name}, {gpu.total_memory / 2**30:.1f} GiB, capability "
            f"{gpu.major}.{gpu.minor}"
        )
    if count == 0:
        target = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU"
        reason = f"; {_first_line(caught[0].message)}" if caught else ""
        yield f"cuda: none (torch is built for {target}{reason})"
    if torch.backends.mps.is_available():
        yield "mps: available"


def describe_backends() -> Iterator[str]:
    """Lines with each implementation of the attention, and why it cannot run here; needs torch."""
    backend = importlib.import_module("semanir_arch.ops.backend")
    for name, reason in backend.report().items():
        yield f"{name}: {'available' if reason is None else f'not available: {reason}'}"


def main() -> int:
    """Print the report.

    Returns:
        0, or 1 if something is broken.
    """
    _print("Versions", describe_versions())
    if failure("torch") is None:
        _print("Devices", describe_devices())
        _print("Attention backends", describe_backends())
    problems = [problem for check in CHECKS for problem in check()]
    lines = [f"{p.what}\n    repair: {p.repair}" for p in problems]
    _print("Problems", iter(lines or ["none found"]))
    return int(any(problem.broken for problem in problems))


def _torch_wanted_by_torchvision() -> str | None:
    for requirement in metadata.requires("torchvision") or []:
        if match := re.match(r"torch\s*\(?==\s*([\d.]+)", requirement):
            return match.group(1)
    return None


def _first_line(error: BaseException | str) -> str:
    return str(error).strip().partition("\n")[0]


def _has_registry(folder: Path) -> bool:
    """Look for BasicSR's registries without importing a package that may be anything."""
    registry = folder / "utils" / "registry.py"
    return registry.is_file() and "ARCH_REGISTRY" in registry.read_text(encoding="utf-8")


def _print(title: str, lines: Iterator[str]) -> None:
    sys.stdout.write(f"{title}\n")
    for line in lines:
        sys.stdout.write(f"  {line}\n")
    sys.stdout.write("\n")


if __name__ == "__main__":
    sys.exit(main())
