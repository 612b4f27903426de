"""What is installed, what works, what clashes, and how to repair it.

`semanir-doctor` (or `python -m semanir_arch.doctor`) runs with BasicSR, torchvision or torch
missing or broken. With `--repair` it installs BasicSR and removes packages that clash.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import semanir_arch
from semanir_arch.utils.command_line import Exit, Parser, run_guarded
from semanir_arch.utils.errors import UserError
from semanir_arch.utils.repairs import (
    COMMAND,
    Repair,
    install_basicsr,
    installed,
    missing_requirements,
    replace_packages,
)

__all__ = [
    "CHECKS",
    "Defect",
    "build_parser",
    "describe_backends",
    "describe_devices",
    "describe_tools",
    "main",
]

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

TESTED_PYTHONS = ((3, 11), (3, 13))
"""The oldest and the newest Python that the test suite was run with."""

HEADLESS = "opencv-python-headless"
"""The build of OpenCV that needs no libGL; nothing here opens a window."""

TOOLS = {
    "git": (("git",), "results do not record the commit; everything else works"),
    "C++ compiler": (
        ("c++", "g++", "clang++"),
        "no native attention kernels and no torch.compile; torch's own attention is used",
    ),
    "browser with driver": (
        ("chromedriver", "chromium-driver"),
        "tests of pages are skipped; pages open in any browser of any computer",
    ),
}
"""Programs outside Python: names to look for, and what is missing without them."""


@dataclass(frozen=True)
class Defect:
    """Something that does not work, and the way to repair it.

    Attributes:
        what: The finding.
        repair: Remedy: words, or commands that `--repair` runs.
        broken: Whether something fails; otherwise a part is merely not there, such as training.
    """

    what: str
    repair: str | Repair
    broken: bool = True

    def __str__(self) -> str:
        how = self.repair
        if isinstance(how, Repair):
            how = f"{COMMAND}, which runs: {how}"
        return f"{self.what}\n    repair: {how}"


def failure(module: str) -> str | None:
    """Why a module cannot be imported, in one line; None if it can be."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return f"{type(error).__name__}: {_first_line(error)}"
    return None


def check_python() -> Iterator[Defect]:
    """Other Pythons may work; nobody has looked."""
    major, minor = (int(part) for part in platform.python_version_tuple()[:2])
    oldest, newest = TESTED_PYTHONS
    if not oldest <= (major, minor) <= newest:
        yield Defect(
            f"Python {platform.python_version()} was not tested",
            f"use Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]} if something fails",
            broken=False,
        )


def check_torch() -> Iterator[Defect]:
    """Check PyTorch, without which nothing works."""
    if installed("torch") is None and find_spec("torch") is None:
        yield Defect("torch is not installed", "pip install torch torchvision")
    elif reason := failure("torch"):
        yield Defect(
            f"torch cannot be imported ({reason})",
            "pip uninstall torch torchvision; pip install torch torchvision",
        )


def check_torchvision() -> Iterator[Defect]:
    """Torchvision holds binaries for one version of torch, and one build (CPU or CUDA) of it."""
    torchvision, torch = installed("torchvision"), installed("torch")
    if torchvision is None or torch is None:
        return
    repair = "install both from the same index: pip install --force-reinstall torch torchvision"
    wanted = _torch_wanted_by_torchvision()
    if wanted is not None and torch.split("+")[0] != wanted:
        yield Defect(
            f"torchvision {torchvision} is made for torch {wanted}, not for {torch}", repair
        )
    elif reason := failure("torchvision"):
        yield Defect(f"torchvision {torchvision} cannot be imported ({reason})", repair)


def check_opencv() -> Iterator[Defect]:
    """OpenCV comes as several packages that all own the folder `cv2`."""
    builds = [name for name in OPENCV_BUILDS if installed(name)]
    headless = replace_packages(builds, HEADLESS) if builds else Repair([("install", HEADLESS)])
    if len(builds) > 1:
        yield Defect(f"{' and '.join(builds)} overwrite each other's files", headless)
    elif reason := failure("cv2"):
        yield Defect(f"OpenCV cannot be imported ({reason})", headless)


def check_tensorboard() -> Iterator[Defect]:
    """BasicSR names tb-nightly, which shares its folder with tensorboard and is dead."""
    if installed("tb-nightly"):
        yield Defect(
            "tb-nightly overwrites tensorboard; uninstalling it alone removes tensorboard's files",
            replace_packages(("tb-nightly", "tensorboard"), "tensorboard>=2.21"),
        )


def check_basicsr() -> Iterator[Defect]:
    """Several repositories install a package called `basicsr`; training needs BasicSR 1.4.2."""
    spec = find_spec("basicsr")
    if spec is None:
        yield Defect(
            "BasicSR is not installed: restoring works, training and testing do not",
            install_basicsr(),
            broken=False,
        )
        return
    if installed("basicsr") and installed("basicsr-fixed"):
        yield Defect(
            "basicsr and basicsr-fixed overwrite each other's files",
            _replace_basicsr("basicsr", "basicsr-fixed"),
        )
    folder = Path(next(iter(spec.submodule_search_locations or [str(spec.origin)])))
    if not _has_registry(folder):
        yield Defect(
            f"the package basicsr in {folder} is not BasicSR: it has no ARCH_REGISTRY",
            _replace_basicsr("basicsr")
            if installed("basicsr")
            else f"remove or rename that folder, then: {COMMAND}",
        )
    elif missing := missing_requirements("train"):
        yield Defect(
            f"BasicSR is installed without what training needs: {', '.join(missing)}",
            Repair([("install", *missing)]),
            broken=False,
        )
    elif failure("torch") is None and (reason := failure("semanir_arch.plugin")):
        yield Defect(
            f"BasicSR in {folder} cannot be used ({reason})",
            "repair the problems above; if that fails, recreate the environment: "
            "rm -r .venv; make install",
        )


CHECKS: tuple[Callable[[], Iterator[Defect]], ...] = (
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


def describe_tools() -> Iterator[str]:
    """Lines with the programs outside Python, and what a machine without them lacks."""
    for title, (names, loss) in TOOLS.items():
        found = next(filter(None, map(shutil.which, names)), None)
        yield f"{title}: {found or f'not found: {loss}'}"


def describe_devices() -> Iterator[str]:
    """Lines with the processors that torch can use; needs torch."""
    import torch

    from semanir_arch.utils import devices
    from semanir_arch.utils.processor import describe_instructions

    yield (
        f"cpu: {os.cpu_count()} logical cores, {torch.get_num_threads()} threads, "
        f"{describe_instructions()}"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind = devices.accelerator()
        count = 0 if kind is None else torch.accelerator.device_count()
    for index in range(count):
        yield f"{kind}:{index}: {_describe_accelerator(str(kind), index)}"
    if count == 0:
        reason = f"; {_first_line(caught[0].message)}" if caught else ""
        yield f"GPU: none (torch is built for {_target()}{reason}); everything runs on the CPU"


def _describe_accelerator(kind: str, index: int) -> str:
    """Name, memory and capability, as far as torch knows them."""
    import torch

    from semanir_arch.utils import devices

    facts = [devices.name_of(kind, index)]
    ask = getattr(torch.get_device_module(kind), "get_device_properties", None)
    if ask is not None:
        gpu = ask(index)
        facts.append(f"{gpu.total_memory / 2**30:.1f} GiB")
        if kind == "cuda":
            facts.append(f"capability {gpu.major}.{gpu.minor}")
    return ", ".join(facts)


def _target() -> str:
    """The accelerator that torch was built for."""
    import torch

    for name in ("CUDA", "HIP", "XPU"):
        version = getattr(torch.version, name.lower(), None)
        if version:
            return f"{name} {version}"
    built_for = torch.accelerator.current_accelerator()
    return "the CPU" if built_for is None else str(built_for)


def describe_backends() -> Iterator[str]:
    """Lines with each implementation of the attention, and why it cannot run here; needs torch."""
    backend = importlib.import_module("semanir_arch.ops.backend")
    for name, reason in backend.report().items():
        yield f"{name}: {'available' if reason is None else f'not available: {reason}'}"


def build_parser() -> Parser:
    """The arguments of `semanir-doctor`."""
    parser = Parser(
        prog="semanir-doctor",
        description="Report what is installed, what works, what conflicts, and how to repair it.",
        epilog="exit code: 0, or 1 if something is broken; see docs/installation.md",
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="install BasicSR with what training needs, and remove conflicting packages",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report, after a repair if one is asked for.

    Args:
        argv: Arguments; None for those of the process.

    Returns:
        0, or 1 if something is broken; 2 if a repair failed.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded("semanir-doctor", _repair if arguments.repair else _report)


def _report() -> int:
    _print("Versions", describe_versions())
    _print("Programs", describe_tools())
    if failure("torch") is None:
        _print("Devices", describe_devices())
        _print("Attention backends", describe_backends())
    problems = _problems()
    _print("Problems", iter([*map(str, problems)] or ["none found"]))
    return Exit.SOME_FAILED if any(problem.broken for problem in problems) else Exit.DONE


def _repair() -> int:
    """Run the commands of every problem that has some, then report from a fresh process."""
    repaired = []
    for problem in _problems():
        if isinstance(problem.repair, Repair):
            _say(f"problem: {problem.what}")
            try:
                problem.repair.run(_say)
            except UserError as error:
                sys.stderr.write(f"semanir-doctor: not repaired: {error}\n")
                return Exit.REFUSED
            repaired.append(problem.what)
    for what in repaired:
        _say(f"repaired: {what}")
    if not repaired:
        _say("nothing to repair")
    _say("")
    # modules that failed to load stay as they are in this process
    command = [sys.executable, "-m", "semanir_arch.doctor"]
    return subprocess.run(command, check=False).returncode


def _problems() -> list[Defect]:
    return [problem for check in CHECKS for problem in check()]


def _replace_basicsr(*remove: str) -> Repair:
    install = install_basicsr()
    return Repair([("uninstall", "-y", *remove), *install.commands], install.variables)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


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
