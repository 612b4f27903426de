"""Repairs of BasicSR's model classes that last as long as the process.

Those that only this package's training loop needs are made in `semanir_arch.host`, for the
duration of a run.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

from semanir_arch import host

__all__ = ["repair"]


def repair() -> None:
    """Repair BasicSR's classes; may be called any number of times."""
    swinir = host.load("basicsr.models.swinir_model").SwinIRModel
    if not hasattr(swinir.test, "__wrapped__"):
        swinir.test = _with_one_window(swinir.test)


def _with_one_window(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """Let `SwinIRModel.test` pad for networks whose window is no single number.

    It divides by `network_g: window_size`, which for networks of several window sizes is a list:
    https://github.com/XPixelGroup/BasicSR/blob/v1.4.2/basicsr/models/swinir_model.py#L12
    """

    @functools.wraps(original)
    def test(model: Any) -> None:
        block = model.opt["network_g"]
        given = block.get("window_size")
        # Networks of this package pad and crop themselves.
        if hasattr(model.get_bare_model(model.net_g), "size_multiple"):
            window = 1
        elif isinstance(given, (list, tuple)):
            window = math.lcm(*_numbers(given))
        else:
            original(model)
            return
        model.opt["network_g"] = {**block, "window_size": window}
        try:
            original(model)
        finally:
            model.opt["network_g"] = block

    return test


def _numbers(value: Any) -> Iterator[int]:
    """The numbers in nested lists."""
    if isinstance(value, (list, tuple)):
        for entry in value:
            yield from _numbers(entry)
    else:
        yield int(value)
