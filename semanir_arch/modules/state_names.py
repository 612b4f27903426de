"""Names of weights in other projects' checkpoints have levels that our modules do not."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

__all__ = ["numbered", "under"]


def under(name: str, module: nn.Module) -> nn.Sequential:
    """Wrap a module so that its weights are called `name.*`."""
    chain = nn.Sequential()
    chain.add_module(name, module)
    return chain


def numbered(name: str, modules: Iterable[nn.Module]) -> nn.Sequential:
    """Chain modules whose weights are called `name0.*`, `name1.*`, ..."""
    chain = nn.Sequential()
    for index, module in enumerate(modules):
        chain.add_module(f"{name}{index}", module)
    return chain
