"""Networks and optimizers built without memory, to hear what their constructors say.

What a declaration cannot tell, such as arguments that contradict each other, the constructor knows.
Here it is asked before anything starts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from semanir_arch import host
from semanir_arch.archs import NETWORKS, build_network
from semanir_arch.models.optimizers import optimizers
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import basicsr_classes

__all__ = ["build_without_memory", "try_optimizer"]

_REFUSALS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Errors of constructors that check nothing themselves."""


def build_without_memory(block: Mapping[str, Any]) -> nn.Module | None:
    """A network on the meta device.

    Args:
        block: Options of `network_g`, checked.

    Returns:
        Network; None for networks of BasicSR that no option file of this package names: not all of
        them can be built in this way.

    Raises:
        ValueError: Its arguments contradict each other.
    """
    kind = block.get("type")
    with torch.device("meta"), _NumbersOnCpu():
        if kind in NETWORKS:
            return build_network(block)
        if kind not in basicsr_classes.NETWORKS:
            return None
        try:
            with warnings.catch_warnings():
                # what torch thinks of BasicSR's code is no matter of the user's options
                warnings.simplefilter("ignore")
                network: nn.Module = host.load("basicsr.archs").build_network(dict(block))
        except _REFUSALS as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise InputError(f"{kind} cannot be built with these arguments: {reason}") from error
    return network


def try_optimizer(block: Mapping[str, Any]) -> None:
    """One step of an optimizer on two small parameters, a matrix and a vector, as networks have.

    Args:
        block: Options of `train:optim_g`, checked.

    Raises:
        ValueError: It cannot be built, or needs more than gradients for its step.
    """
    arguments = dict(block)
    kind = arguments.pop("type")
    parameters = [nn.Parameter(torch.ones(shape)) for shape in ((8, 8), (8,))]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    try:
        optimizers()[kind](parameters, **arguments).step()
    except _REFUSALS as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{kind} cannot train a network: {reason}") from error


class _NumbersOnCpu(TorchFunctionMode):
    """BasicSR's SwinIR reads numbers from a tensor while it is built; meta tensors have none."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs["device"] = "cpu"
        return func(*args, **kwargs)
