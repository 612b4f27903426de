"""The gradient of an attention operator, registered from a function that computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["register_fake_gradient", "register_gradient"]

Gradients = tuple[Tensor, Tensor, Tensor, Tensor]


def register_gradient(name: str, backward: Callable[..., Gradients], *, bias: int) -> None:
    """Make an operator differentiable in q, k, v and the bias.

    Of an operator with several results the first is differentiable; the others are kept for the
    gradient.

    Args:
        name: Namespace and name of the operator, whose first inputs are q, k and v.
        backward: Function called with the gradient of the result and all inputs of the operator; if
            it has several results, also with these and whether the bias needs a gradient. It
            returns the gradients of q, k, v and bias; the last may be empty, because an operator
            returns tensors, not None.
        bias: Place of the bias among the inputs; it may be None.
    """

    def set_up(ctx: Any, inputs: tuple[Any, ...], output: Tensor | tuple[Tensor, ...]) -> None:
        results = () if isinstance(output, Tensor) else output
        ctx.is_tensor = [isinstance(value, Tensor) for value in inputs]
        ctx.others = [None if isinstance(value, Tensor) else value for value in inputs]
        ctx.save_for_backward(*(x for x in inputs if isinstance(x, Tensor)), *results)
        if results:
            ctx.mark_non_differentiable(*results[1:])
            ctx.set_materialize_grads(False)

    def differentiate(
        ctx: Any, grad: Tensor | None, *_: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        gradients: list[Tensor | None] = [None] * len(ctx.others)
        if grad is None:
            return tuple(gradients)
        saved = list(ctx.saved_tensors)
        inputs = [
            saved.pop(0) if is_tensor else value
            for is_tensor, value in zip(ctx.is_tensor, ctx.others, strict=True)
        ]
        wants_bias = inputs[bias] is not None and ctx.needs_input_grad[bias]
        more = [*saved, wants_bias] if saved else []
        *gradients[:3], dbias = backward(grad, *inputs, *more)
        gradients[bias] = dbias if wants_bias else None
        return tuple(gradients)

    torch.library.register_autograd(name, differentiate, setup_context=set_up)


def register_fake_gradient(name: str, *, bias: int) -> None:
    """Tell the compiler the shapes of an operator that takes a gradient and q, k, v.

    Args:
        name: Namespace and name of the operator.
        bias: Place of the bias among the inputs after the gradient; it may be None.
    """

    def shapes(_grad: Tensor, *inputs: Any) -> Gradients:
        q, k, v, given = *inputs[:3], inputs[bias]
        dbias = q.new_empty(0) if given is None else given.new_empty(given.shape)
        return q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape), dbias

    torch.library.register_fake(name, shapes)
