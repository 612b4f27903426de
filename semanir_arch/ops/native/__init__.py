"""The operators' C++ library for CPUs: built on request, loaded when it is first asked for.

The sources in `csrc` are never compiled in the middle of a forward: `python -m
semanir_arch.ops.native`, or `build()`, needs a C++ compiler and ninja and leaves the result in
torch's cache of extensions (the environment variable TORCH_EXTENSIONS_DIR, default
~/.cache/torch_extensions). From then on every process loads it when it first asks. It has kernels
for AVX-512 and for any processor, chosen when it runs.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from pathlib import Path

import torch

__all__ = ["COMMAND", "best_instructions", "build", "why_not"]

COMMAND = "python -m semanir_arch.ops.native"
"""What builds the library."""

_SOURCES = Path(__file__).parent / "csrc"
_FLAGS = ("-O3", "-fopenmp", "-Wno-psabi")


def build(*, verbose: bool = False) -> Path:
    """Compile the library, unless that was done before, and load it.

    Args:
        verbose: Show the compiler's commands and messages.

    Returns:
        The compiled library.

    Raises:
        RuntimeError: If there is no compiler or no ninja, or compiling fails.
    """
    missing = _missing_tool()
    if missing is not None:
        raise RuntimeError(f"cannot build the native operators: {missing}")
    from torch.utils import cpp_extension

    path = _library_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    if why_not() is not None:
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
    return path


def why_not() -> str | None:
    """Load the compiled library, the first time; say why that is impossible, or None."""
    return _load()


def best_instructions() -> str:
    """Of the library's kernels, those for which this processor is made: "avx512" or "portable"."""
    return _ask_processor()


# What torch.compiler.assume_constant_result sets, without its import of the compiler. The marked
# functions must not be the caches themselves, which the compiler looks through.
for _function in (why_not, best_instructions):
    _function._dynamo_marked_constant = True  # type: ignore[attr-defined]


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
    """Where the library of these very sources and this torch is, or would be."""
    digest = hashlib.sha256(f"{torch.__version__} {sys.version_info[:2]} {_FLAGS}".encode())
    for source in sorted(_SOURCES.iterdir()):
        digest.update(source.read_bytes())
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or "~/.cache/torch_extensions"
    name = f"semanir_native_{digest.hexdigest()[:12]}"
    return Path(root).expanduser() / name / f"{name}.so"


def _missing_tool() -> str | None:
    compiler = os.environ.get("CXX") or "c++"
    if sys.platform != "linux":
        return f"it was written for Linux, not for {sys.platform}"
    if shutil.which(compiler) is None:
        return f"there is no C++ compiler {compiler!r}; install g++"
    if shutil.which("ninja") is None:
        return "there is no ninja; `pip install ninja`"
    return None
