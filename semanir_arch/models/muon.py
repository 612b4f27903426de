"""Muon for weights that are matrices, Adam for all others, as one optimizer.

Muon (Keller Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024)
replaces the momentum of a weight matrix by the nearest matrix with orthogonal rows or columns, so
that every direction of the matrix moves equally far. torch.optim.Muon takes matrices only; here a
convolution's weight counts as the matrix (out, in * height * width).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Bounds
from semanir_arch.utils.options.basicsr_keys import RATE

__all__ = ["MuonAdam", "orthogonalize"]

# Coefficients of the published iteration: singular values end between about 0.7 and 1.2 after five
# steps, which is as good as 1 for the purpose.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5

Share = Annotated[float, Bounds(0, below=1)]
"""Decay of a running mean."""

_SMALLEST_SIDE = 8
"""Matrices with fewer rows or columns are left to Adam: there is little to orthogonalize."""


class MuonAdam(torch.optim.Optimizer):
    """Muon with Nesterov momentum for matrices, Adam with decoupled weight decay for the rest.

    Args:
        params: Parameters, without groups.
        lr: Learning rate of Muon: the spectral norm of a step of a square matrix.
        adam_lr: Learning rate of Adam; schedules change both by the same factor.
        momentum: Decay of Muon's running mean of the gradient.
        betas: Decay of Adam's running means of the gradient and its square.
        eps: Constant added to Adam's denominator.
        weight_decay: Share of a weight that is taken away per step, times the learning rate.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: RATE = 0.01,
        adam_lr: RATE = 2e-3,
        momentum: Share = 0.95,
        betas: tuple[Share, Share] = (0.9, 0.99),
        eps: Annotated[float, Bounds(0, 1)] = 1e-8,
        weight_decay: Annotated[float, Bounds(0, 100)] = 0.0,
    ) -> None:
        for name, value in (("lr", lr), ("adam_lr", adam_lr), ("weight_decay", weight_decay)):
            if value < 0:
                raise InputError(f"{name}={value} must not be negative")
        for name, value in (("momentum", momentum), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
            if not 0 <= value < 1:
                raise InputError(f"{name}={value} must lie in [0, 1)")
        parameters = list(params)
        matrices = [parameter for parameter in parameters if _is_matrix(parameter)]
        others = [parameter for parameter in parameters if not _is_matrix(parameter)]
        groups = [
            {"params": matrices, "lr": lr, "orthogonal": True},
            {"params": others, "lr": adam_lr, "orthogonal": False},
        ]
        defaults = {
            "momentum": momentum,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters by one step.

        Args:
            closure: Function that computes the loss and its gradient again; None if that was done.

        Returns:
            Result of the closure.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            change = self._change_orthogonally if group["orthogonal"] else self._change_as_adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    change(parameter, parameter.grad, group)
        return loss

    def _change_orthogonally(
        self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]
    ) -> None:
        state = self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        mean = state["mean"].lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(mean, group["momentum"]).flatten(1)
        rows, columns = update.shape
        # outputs keep their size whatever the shape of the matrix
        scale = max(1.0, rows / columns) ** 0.5
        parameter.add_(orthogonalize(update).view_as(parameter), alpha=-group["lr"] * scale)

    def _change_as_adam(
        self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]
    ) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        state["step"] += 1
        first, second = group["betas"]
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].lerp_(gradient.square(), 1 - second)
        deviation = (square / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        rate = group["lr"] / (1 - first ** state["step"])
        parameter.addcdiv_(mean, deviation, value=-rate)


def orthogonalize(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values near 1, by Newton-Schulz iterations in bfloat16.

    Args:
        matrix: Shape (rows, columns); zeros stay zeros.

    Returns:
        Same shape and dtype; singular values between about 0.7 and 1.2.
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).bfloat16()
    x = x / x.norm().clamp_min(1e-7)
    for _ in range(_STEPS):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return (x.T if is_tall else x).to(matrix.dtype)


def _is_matrix(parameter: nn.Parameter) -> bool:
    if parameter.dim() < 2:
        return False
    rows = parameter.shape[0]
    return min(rows, parameter.numel() // rows) >= _SMALLEST_SIDE
