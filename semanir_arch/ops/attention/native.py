"""Key-semantic attention in C++ for CPUs: only the kept keys are touched, forward and backward.

The sources in `csrc` are compiled on request, never in the middle of a forward:
`python -m semanir_arch.ops.attention.native`, or `build()`, needs a C++ compiler and ninja and
leaves the result in torch's cache of extensions (the environment variable TORCH_EXTENSIONS_DIR,
default ~/.cache/torch_extensions). From then on every process loads it when it first asks. It has
kernels for AVX-512 and for any processor, chosen when it runs.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from semanir_arch.ops.backend import Backend, Request

if TYPE_CHECKING:
    from semanir_arch.ops.dictionary import KeySemanticDictionary

__all__ = ["BACKEND", "attend", "build"]

_COMMAND = "python -m semanir_arch.ops.attention.native"
_SOURCES = Path(__file__).parent / "csrc"
_FLAGS = ("-O3", "-fopenmp", "-Wno-psabi")
_DTYPES = (torch.float32, torch.bfloat16)
_MAX_HEAD_DIM = 128


def build(*, verbose: bool = False) -> Path:
    """Compile the extension, unless that was done before, and load it.

    Args:
        verbose: Show the compiler's commands and messages.

    Returns:
        The compiled library.

    Raises:
        RuntimeError: If there is no compiler or no ninja, or compiling fails.
    """
    missing = _missing_tool()
    if missing is not None:
        raise RuntimeError(f"cannot build the native attention backend: {missing}")
    from torch.utils import cpp_extension

    path = _library_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    if _cannot_load() is not None:
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


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    bias: Tensor | None,
    scale: float,
    *,
    instructions: str | None = None,
) -> Tensor:
    """Attention over kept keys; shapes as in `semanir_arch.ops.key_semantic_attention`.

    `instructions` names the kernels: "avx512" or "portable"; default: the best that this processor
    has.
    """
    assert dictionary.bits is not None, "refused by the predicate"
    return _forward(q, k, v, dictionary.bits, bias, scale, instructions or _best_instructions())


def _why_not(request: Request) -> str | None:
    if request.device != "cpu":
        return f"it runs on the CPU, not on {request.device}"
    if not request.masked:
        return "every key is kept, which plain attention does faster"
    if request.dtype not in _DTYPES:
        return f"it computes in float32 or bfloat16, not in {request.dtype}"
    if request.head_dim > _MAX_HEAD_DIM:
        return f"heads have at most {_MAX_HEAD_DIM} channels, not {request.head_dim}"
    return _cannot_load()


def _preferred(request: Request) -> bool:
    # Where both the forward and the backward were measured faster than `masked`: see docs/ops.md.
    # Asked only of a request that can be served, so the library is loaded.
    tokens_per_key = 16
    if _best_instructions() == "avx512":
        tokens_per_key = 2 if request.head_dim <= 64 else 4
    return request.k * tokens_per_key <= request.num_tokens


BACKEND = Backend(name="native", run=attend, why_not=_why_not, preferred=_preferred)


def _cannot_load() -> str | None:
    """Load the compiled library, the first time; say why that is impossible, or None."""
    return _load()


def _best_instructions() -> str:
    """Of the library's kernels, those for which this processor is made."""
    return _ask_processor()


# What torch.compiler.assume_constant_result sets, without its import of the compiler. The marked
# functions must not be the caches themselves, which the compiler looks through.
for _function in (_cannot_load, _best_instructions):
    _function._dynamo_marked_constant = True  # type: ignore[attr-defined]


@functools.cache
def _ask_processor() -> str:
    return torch.ops.semanir_native.best_instructions()


@functools.cache
def _load() -> str | None:
    path = _library_path()
    if not path.exists():
        return f"not compiled: {_missing_tool() or f'run `{_COMMAND}` once'}"
    try:
        torch.ops.load_library(path)
    except OSError as error:
        return f"{path} does not load ({error}): run `{_COMMAND}`"
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


_ARGUMENTS = (
    "Tensor q, Tensor k, Tensor v, Tensor bits, Tensor? bias, float scale, str instructions"
)


@torch.library.custom_op(
    "semanir::native_attention",
    mutates_args=(),
    tags=(torch.Tag.flexible_layout,),
    schema=f"({_ARGUMENTS}) -> Tensor",
)
def _forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor,
    bias: Tensor | None,
    scale: float,
    instructions: str,
) -> Tensor:
    return torch.ops.semanir_native.forward(q, k, v, bits, bias, scale, instructions)


@_forward.register_fake
def _(q: Tensor, *_: object) -> Tensor:
    return q.new_empty(q.shape)


@torch.library.custom_op(
    "semanir::native_attention_backward",
    mutates_args=(),
    tags=(torch.Tag.flexible_layout,),
    schema=f"(Tensor grad, {_ARGUMENTS}) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor,
    bias: Tensor | None,
    scale: float,
    instructions: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    # Without a bias its gradient is empty: an operator returns tensors, not None.
    return torch.ops.semanir_native.backward(grad, q, k, v, bits, bias, scale, instructions)


@_backward.register_fake
def _(
    _grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    _bits: Tensor,
    bias: Tensor | None,
    _scale: float,
    _instructions: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dbias = q.new_empty(0) if bias is None else bias.new_empty(bias.shape)
    return q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape), dbias


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001 - torch passes it by name
    *tensors, ctx.scale, ctx.instructions = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, bits, bias = ctx.saved_tensors
    dq, dk, dv, dbias = _backward(grad, q, k, v, bits, bias, ctx.scale, ctx.instructions)
    return dq, dk, dv, None, None if bias is None else dbias, None, None


_forward.register_autograd(_differentiate, setup_context=_setup_context)


if __name__ == "__main__":
    start = time.perf_counter()
    library = build(verbose=True)
    sys.stdout.write(f"ready after {time.perf_counter() - start:.0f} s: {library}\n")
