"""Which implementation of an operator runs: explicit, observable, and with a reason for every no.

An operator has several implementations ("backends") with the same results. Each is described by a
`Backend`, whose predicate returns why it cannot serve a `Request`, or None. The automatic choice
depends only on what the request states (device, dtype, shape, k) and on what is installed. What is
installed differs between computers, and from day to day on one: `list_offered` names it, and
`keep_to` repeats it elsewhere.

Environment: with TRITON_INTERPRET=1, set before the kernels are first used, they run on CPU tensors
in Triton's interpreter, thousands of times slower: for tests, never chosen automatically.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from semanir_arch.utils import devices
from semanir_arch.utils.errors import InputError, UnavailableError
from semanir_arch.utils.suggestions import did_you_mean

__all__ = [
    "ATTENTION_BACKENDS",
    "KERNELS_PROVEN",
    "Backend",
    "Request",
    "Variants",
    "always",
    "choose",
    "choose_freely",
    "is_withheld",
    "keep_to",
    "list_offered",
    "never",
    "no_objection",
    "report",
    "why_no_triton",
]


KERNELS_PROVEN = False
"""Whether the Triton kernels have passed `benchmarks/gpu_hour.py` on a GPU, and were faster there.

Until then they run only when named. `benchmarks/gpu_hour.py --adopt` changes this line, and what
README says, from the record of a run; `tests/test_gpu_adopt.py` keeps the three in step.
"""


@dataclass(frozen=True)
class Request:
    """Request to an attention backend.

    Attributes:
        device: Device type, e.g. "cpu" or "cuda".
        dtype: Dtype of queries, keys and values.
        num_tokens: Tokens per window, N.
        head_dim: Channels per head, d.
        k: Keys kept per query; equal to `num_tokens` when all are kept.
        masked: Whether any query-key pair is excluded.
    """

    device: str
    dtype: torch.dtype
    num_tokens: int
    head_dim: int
    k: int
    masked: bool


def no_objection(_: Request) -> None:
    """Serve every request."""


def always(_: Request) -> bool:
    """Volunteer for every request that can be served."""
    return True


def never(_: Request) -> bool:
    """Run only when named."""
    return False


@dataclass(frozen=True)
class Variants:
    """Several sets of kernels of one backend, whose results differ in their last digits.

    Attributes:
        present: Function that returns the sets that run here, the best first.
        used: Function that returns the one in use.
        use: Function that switches to one of them; "off" takes the backend away, None decides anew.
            Raises ValueError for a set that does not exist.
    """

    present: Callable[[], Sequence[str]]
    used: Callable[[], str]
    use: Callable[[str | None], None]


@dataclass(frozen=True)
class Backend:
    """One implementation of key-semantic attention.

    Attributes:
        name: The word users write, e.g. in an option file.
        run: Function called as `run(q, k, v, dictionary, bias, scale)`; see
            `semanir_arch.ops.key_semantic_attention`.
        why_not: Function that returns the reason why the request cannot be served here, or None if
            it can.
        preferred: Whether the automatic choice may take this backend for the request. Backends are
            asked in the order in which they were registered.
        variants: Choice among its sets of kernels, if it has several.
    """

    name: str
    run: Callable[..., torch.Tensor]
    why_not: Callable[[Request], str | None] = no_objection
    preferred: Callable[[Request], bool] = always
    variants: Variants | None = None


ATTENTION_BACKENDS: dict[str, Backend] = {}
"""Backends of `key_semantic_attention` by name, in the order of the automatic choice."""


def choose(
    request: Request, name: str = "auto", backends: Mapping[str, Backend] = ATTENTION_BACKENDS
) -> Backend:
    """Return the backend that serves a request.

    Args:
        request: Device, dtype and sizes.
        name: "auto", or the name of a backend, which is then taken or refused, never replaced.
        backends: The candidates, in order of preference.

    Raises:
        ValueError: If no backend has that name.
        NotImplementedError: If the named backend cannot serve the request; names the ones that can.
    """
    if name == "auto":
        for backend in backends.values():
            if is_withheld(backend.name):
                continue
            if backend.why_not(request) is None and backend.preferred(request):
                return backend
        raise UnavailableError(f"no backend serves {request}: {_reasons(request, backends)}")
    if name not in backends:
        hint = did_you_mean(name, backends)
        raise InputError(
            f"backend={name!r} is unknown; allowed: 'auto', {', '.join(map(repr, backends))}{hint}"
        )
    reason = backends[name].why_not(request)
    if reason is not None:
        able = [other.name for other in backends.values() if other.why_not(request) is None]
        raise UnavailableError(
            f"backend {name!r} cannot run {request}: {reason}; able: {', '.join(able)}"
        )
    return backends[name]


# Bfloat16 products came with Ampere.
_MIN_CAPABILITY = (8, 0)


def why_no_triton(device: str) -> str | None:
    """Say why Triton kernels cannot run on tensors of a type of device.

    Args:
        device: Device type, e.g. "cuda".

    Returns:
        The reason, or None if they can.
    """
    return _why_no_triton(device)


def _why_no_triton(device: str) -> str | None:
    if os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "yes"):
        return None if _has_triton() else _MISSING
    if device != "cuda":
        return f"Triton kernels do not run on {device!r} devices"
    return _why_no_cuda() if _has_triton() else _MISSING


_MISSING = "Triton is not installed"


@functools.cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


@functools.cache
def _why_no_cuda() -> str | None:
    if not torch.cuda.is_available():
        return "there is no CUDA device"
    capability = torch.cuda.get_device_capability()
    if capability < _MIN_CAPABILITY:
        return f"compute capability {capability} is below {_MIN_CAPABILITY}"
    return None


# torch.compile takes the answer as a constant instead of tracing how it was found. (The public
# decorator for this imports the compiler at once, which costs seconds.)
_why_no_triton._dynamo_marked_constant = True  # type: ignore[attr-defined]


class _Withheld:
    """Backends that the automatic choice of this process leaves out, although they run here."""

    names: frozenset[str] = frozenset()


def is_withheld(name: str) -> bool:
    """Whether the automatic choice of this process leaves a backend out; see `keep_to`."""
    return name in _Withheld.names


def report(device: str | None = None) -> dict[str, str | None]:
    """Say which backends run on this machine.

    Args:
        device: Device type; default: the accelerator where there is one, else "cpu".

    Returns:
        Name of each backend -> None if it can run a typical window (1024 tokens, 512 kept, 6 heads
        of 30
        channels, float32), else the reason why not.
    """
    if device is None:
        device = devices.accelerator() or "cpu"
    request = _typical(device)
    return {name: backend.why_not(request) for name, backend in ATTENTION_BACKENDS.items()}


def list_offered(device: str, name: str = "auto") -> list[str]:
    """Backends that may run a typical window here, in order, each with the kernels it uses.

    Two computers (or two days of one) with the same list compute attention in the same way.

    Args:
        device: Device type.
        name: The backend that the network names; with "auto" all that may be chosen.

    Returns:
        Names such as `["native avx512", "gather", "masked"]`.
    """
    return [
        _with_variant(backend)
        for backend in ATTENTION_BACKENDS.values()
        if (backend.preferred is not never if name == "auto" else name == backend.name)
        and not is_withheld(backend.name)
        and backend.why_not(_typical(device)) is None
    ]


def keep_to(offered: Sequence[str], device: str, name: str = "auto") -> dict[str, str]:
    """Let this process choose among the same backends and kernels as another did.

    Whatever runs here but did not there is left out of the automatic choice from now on.

    Args:
        offered: Result of `list_offered` in another process.
        device: Device type.
        name: Name of the kernel set; see `list_offered`.

    Returns:
        Backends that cannot be repeated here, and why; empty if all can. What can be repeated is
        repeated even then.
    """
    wanted = dict(_split(entry) for entry in offered)
    missing = {}
    for backend in ATTENTION_BACKENDS.values():
        if backend.variants is not None and name in ("auto", backend.name):
            try:
                backend.variants.use(wanted.get(backend.name, "off"))
            except ValueError as error:
                backend.variants.use("off")
                missing[f"{backend.name} {wanted.pop(backend.name)}"] = str(error)
    if name == "auto":
        # those that serve only other requests, such as windows without a mask, are everywhere
        here = {n for n, b in ATTENTION_BACKENDS.items() if b.why_not(_typical(device)) is None}
        _Withheld.names = frozenset(here - wanted.keys())
    for backend_name, variant in wanted.items():
        if backend_name not in ATTENTION_BACKENDS:
            reason: str | None = f"no backend is called {backend_name!r}"
        else:
            reason = ATTENTION_BACKENDS[backend_name].why_not(_typical(device))
        if reason is not None:
            missing[f"{backend_name} {variant}".strip()] = reason
    return missing


def choose_freely() -> None:
    """Forget what `keep_to` did."""
    _Withheld.names = frozenset()
    for backend in ATTENTION_BACKENDS.values():
        if backend.variants is not None:
            backend.variants.use(None)


def _typical(device: str) -> Request:
    return Request(device, torch.float32, num_tokens=1024, head_dim=30, k=512, masked=True)


def _with_variant(backend: Backend) -> str:
    return backend.name if backend.variants is None else f"{backend.name} {backend.variants.used()}"


def _split(entry: str) -> tuple[str, str]:
    name, _, variant = entry.partition(" ")
    return name, variant


def _reasons(request: Request, backends: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {backend.why_not(request)}" for name, backend in backends.items())
