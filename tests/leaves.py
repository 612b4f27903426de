"""The option files of the project, and how tests build the networks they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from semanir_arch import host
from semanir_arch.archs import NETWORKS, build_network
from tests.helpers import ROOT

OPTIONS = ROOT / "options"
FRAGMENTS = sorted(OPTIONS.glob("_base_/*/*.yml"))
LEAVES = sorted(set(OPTIONS.rglob("*.yml")) - set(FRAGMENTS))


def name_of(path: Path) -> str:
    """An option file in the names of tests."""
    return str(path.relative_to(OPTIONS))


def build(block: Mapping[str, Any]) -> nn.Module:
    """A network of this package or of BasicSR, from `network_g`."""
    if block["type"] in NETWORKS:
        return build_network(block)
    return host.load("basicsr.archs").build_network(dict(block))


def build_without_memory(block: Mapping[str, Any]) -> nn.Module:
    """The same on the meta device."""
    with torch.device("meta"), _NumbersOnCpu():
        return build(block)


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
