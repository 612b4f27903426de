"""The operators' C++ library for CPUs: built on request, loaded when it is first asked for.

The sources in `csrc` are never compiled in the middle of a forward: `python -m
semanir_arch.ops.native`, or `build()`, needs a C++ compiler and ninja and leaves the result in
torch's cache of extensions (the environment variable TORCH_EXTENSIONS_DIR, default
~/.cache/torch_extensions). It has kernels for AVX-512 and for any processor.

Whether it is used, and with which kernels, is decided once per process, when it is first asked for:
the environment variable SEMANIR_NATIVE=off switches it off; else `use` decides, else the variable
(auto, avx512 or portable), else what is compiled and what the processor can do. Sums are added in
another order with and without it, so results differ in their last digits; whoever must repeat
results repeats the choice.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from pathlib import Path

import torch

from semanir_arch.utils.errors import InputError, UnavailableError
from semanir_arch.utils.processor import has_instructions

__all__ = [
    "COMMAND",
    "KERNELS",
    "VARIABLE",
    "best_instructions",
    "build",
    "has_matrix_unit",
    "kernels",
    "use",
    "why_not",
]

COMMAND = "python -m semanir_arch.ops.native"
"""Command that builds the library."""

VARIABLE = "SEMANIR_NATIVE"
"""Environment variable that decides where nothing else has."""

KERNELS = ("avx512", "portable")
"""The library's kernels, the fastest first."""

_SOURCES = Path(__file__).parent / "csrc"
_FLAGS = ("-O3", "-fopenmp", "-Wno-psabi")


def build(*, verbose: bool = False) -> Path:
    """Compile the library, unless that was done before, and load it.

    Args:
        verbose: Whether to show the compiler's commands and messages.

    Returns:
        The compiled library.

    Raises:
        RuntimeError: If there is no compiler or no ninja, or compiling fails.
    """
    missing = _missing_tool()
    if missing is not None:
        raise UnavailableError(
            f"cannot build the native operators: {missing}; then run `{COMMAND}`"
        )
    from torch.utils import cpp_extension

    ninja = _find_ninja()
    assert ninja is not None, "found missing otherwise"
    if shutil.which("ninja") is None:
        # torch looks for it on the path alone
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), str(Path(ninja).parent)])
    path = _library_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    if _load() is not None:
        cpp_extension.load(
            name=path.stem,
            sources=[str(source) for source in sorted(_SOURCES.glob("*.cpp"))],
            extra_cflags=list(_FLAGS),
            extra_ldflags=["-fopenmp"],
            build_directory=str(path.parent),
            is_python_module=False,
            verbose=verbose,
        )
        _load.cache_clear()
        _decide.cache_clear()
    return path


def why_not() -> str | None:
    """Load the compiled library, the first time; say why that is impossible, or None.

    Raises:
        ValueError: SEMANIR_NATIVE has a value that is not allowed.
    """
    return _decide()[0]


def best_instructions() -> str:
    """The kernels in use: those that were asked for, else the best for this processor.

    Only where `why_not` returns None.
    """
    return _decide()[1]


def kernels() -> tuple[str, ...]:
    """All kernels that run here, the fastest first; none where there is no library."""
    if _load() is not None:
        return ()
    return KERNELS[KERNELS.index(_ask_processor()) :]


def has_matrix_unit() -> bool:
    """Whether torch multiplies bfloat16 matrices with AMX, which these kernels do not."""
    return has_instructions("amx_bf16")


def use(choice: str | None) -> None:
    """Decide for this process.

    Args:
        choice: "off" or one of `KERNELS`; None leaves it to the environment again.

    Raises:
        ValueError: It is none of these.
    """
    if choice is not None:
        _check(choice, "choice")
    _Choice.made = choice
    _decide.cache_clear()


# What torch.compiler.assume_constant_result sets, without its import of the compiler. The marked
# functions must not be the caches themselves, which the compiler looks through.
for _function in (why_not, best_instructions, has_matrix_unit):
    setattr(_function, "_dynamo_marked_constant", True)  # noqa: B010


class _Choice:
    """Choice that `use` was given."""

    made: str | None = None


def _check(choice: str, name: str) -> None:
    allowed = ("auto", "off", *KERNELS)
    if choice not in allowed:
        raise InputError(f"{name}={choice!r} is unknown; allowed: {', '.join(allowed)}")


@functools.cache
def _decide() -> tuple[str | None, str]:
    """Why the library is not used, or None; and the kernels."""
    given = os.environ.get(VARIABLE) or "auto"
    _check(given, VARIABLE)
    if given == "off":
        return f"{VARIABLE}=off switches it off", KERNELS[-1]
    choice = _Choice.made or given
    if choice == "off":
        return "this run does without it, as the run did that it repeats", KERNELS[-1]
    reason = _load()
    if reason is not None:
        return reason, KERNELS[-1]
    best = _ask_processor()
    if choice == "auto":
        return None, best
    if KERNELS.index(choice) < KERNELS.index(best):
        return f"this processor has no {choice}, which was asked for", best
    return None, choice


@functools.cache
def _ask_processor() -> str:
    return torch.ops.semanir_native.best_instructions()


@functools.cache
def _load() -> str | None:
    path = _library_path()
    if not path.exists():
        return f"not compiled: {_missing_tool() or f'run `{COMMAND}` once'}"
    try:
        torch.ops.load_library(path)
    except OSError as error:
        return f"{path} does not load ({error}): run `{COMMAND}`"
    return None


def _library_path() -> Path:
    """Path of the library for these very sources and this version of PyTorch."""
    digest = hashlib.sha256(f"{torch.__version__} {sys.version_info[:2]} {_FLAGS}".encode())
    for source in sorted(_SOURCES.iterdir()):
        digest.update(source.read_bytes())
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or "~/.cache/torch_extensions"
    name = f"semanir_native_{digest.hexdigest()[:12]}"
    return Path(root).expanduser() / name / f"{name}.so"


def _find_ninja() -> str | None:
    """Ninja on the path, or beside the interpreter of an environment that is not activated."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("ninja") or shutil.which("ninja", path=beside)


def _missing_tool() -> str | None:
    compiler = os.environ.get("CXX") or "c++"
    if sys.platform != "linux":
        return f"it was written for Linux, not for {sys.platform}"
    if shutil.which(compiler) is None:
        return f"there is no C++ compiler {compiler!r}; install g++"
    if _find_ninja() is None:
        return "there is no ninja; `pip install ninja`"
    return None
