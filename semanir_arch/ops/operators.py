"""Registration of functions as operators, which torch.compile and torch.export take as they are."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

import torch

__all__ = ["operator"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_FLEXIBLE = (torch.Tag.flexible_layout,)


def operator(
    name: str,
    schema: str,
    *,
    tags: Sequence[torch.Tag] = _FLEXIBLE,
    differentiable: bool = False,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Register a function as an operator for every device, and call it through that.

    As `torch.library.custom_op`, but its first call does not import the compiler, which would cost
    a second, and every call is faster, which small images feel.

    Args:
        name: Namespace and name, "semanir::dictionary".
        schema: Arguments and results, "(Tensor x, int k) -> Tensor".
        tags: Assumptions that the compiler may make besides that it can be compiled.
        differentiable: Whether its formula follows, by `torch.library.register_autograd`; else a
            gradient through it is refused.
    """

    def register(kernel: Callable[_P, _R]) -> Callable[_P, _R]:
        torch.library.define(name, schema, tags=(torch.Tag.pt2_compliant_tag, *tags))
        torch.library.impl(name, "default")(_untraced(kernel))
        if not differentiable:
            torch.library.register_autograd(name, functools.partial(_refuse, name))
        namespace, short = name.split("::")
        packet = getattr(getattr(torch.ops, namespace), short)
        return cast("Callable[_P, _R]", packet.default)

    return register


def _untraced(kernel: Callable[_P, _R]) -> Callable[_P, _R]:
    """Hide a function from the compiler, as `torch.compiler.disable`, without importing it."""
    hidden: Callable[_P, _R] | None = None

    @functools.wraps(kernel)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        nonlocal hidden
        if "torch._dynamo" not in sys.modules:
            return kernel(*args, **kwargs)
        hidden = hidden or torch.compiler.disable(kernel)
        return hidden(*args, **kwargs)

    return run


def _refuse(name: str, *_: Any) -> NoReturn:
    raise RuntimeError(f"the operator {name} has no gradient")
