"""Networks of BasicSR, built from the options that `train.py` writes beside their weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from semanir_arch.bridges.foreign import ForeignNetwork
from semanir_arch.modules.padding import crop, pad_to_multiple
from semanir_arch.utils.checkpoint import Checkpoint, check_fit, load_into
from semanir_arch.utils.errors import InputError

__all__ = ["build_basicsr", "find_basicsr"]

_CHANNELS = ("in_chans", "num_in_ch", "inp_channels", "in_channels")
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_BLOCKS = (3, 5)
"""Height and width of the images tried, in multiples."""


def find_basicsr(name: str) -> Callable[..., nn.Module] | None:
    """BasicSR's network of that name; None if there is none or no BasicSR.

    Args:
        name: Name of the architecture, as option files write it.
    """
    # BasicSR may be absent, and where it is not, importing it takes seconds
    from semanir_arch import host

    try:
        host.load("basicsr.archs")
        registry = host.load("basicsr.utils.registry").ARCH_REGISTRY
    except ImportError:
        return None
    entries: dict[str, Callable[..., nn.Module]] = dict(iter(registry))
    return entries.get(name)


def build_basicsr(checkpoint: Checkpoint, entry: Callable[..., nn.Module]) -> ForeignNetwork:
    """Build the network of a checkpoint, with its weights.

    What it makes of an image, and what sizes it takes, is found out with small black images.

    Args:
        checkpoint: Checkpoint that names its network.
        entry: Result of `find_basicsr`.

    Raises:
        ValueError: The options or weights do not fit, or it does not turn an image into an image.
    """
    block = dict(checkpoint.network or {})
    name = str(block.pop("type", ""))
    try:
        model = entry(**block)
    except (TypeError, ValueError, RuntimeError, AssertionError, LookupError) as error:
        raise InputError(
            f"{checkpoint.source}: BasicSR cannot build its network {name}: {error}"
        ) from error
    check_fit(model, checkpoint)
    load_into(model, checkpoint)
    model.eval().requires_grad_(False)
    in_chans = next((int(block[key]) for key in _CHANNELS if key in block), 3)
    window = block.get("window_size")
    first = [window] if isinstance(window, int) and window > 0 else []
    for multiple in [*first, *_MULTIPLES]:
        found = _try(model, in_chans, multiple)
        if found is not None:
            out_chans, upscale = found
            return ForeignNetwork(
                model,
                _Padded(model, multiple, upscale),
                name=name,
                in_chans=in_chans,
                out_chans=out_chans,
                upscale=upscale,
                size_multiple=multiple,
            )
    raise InputError(
        f"{checkpoint.source}: BasicSR's {name} does not turn an image of {in_chans} channels into "
        "an image, so it cannot be used here"
    )


def _try(model: nn.Module, in_chans: int, multiple: int) -> tuple[int, int] | None:
    """Channels and enlargement of the result, if the model takes images of such sizes."""
    height, width = (multiple * count for count in _BLOCKS)
    x = torch.zeros(1, in_chans, height, width)
    try:
        with torch.inference_mode():
            restored = model(x)
    except (RuntimeError, ValueError, TypeError, AssertionError, LookupError, AttributeError):
        return None
    if not isinstance(restored, Tensor) or restored.dim() != 4:
        return None
    scale = restored.shape[-2] // height
    if scale < 1 or restored.shape[-2:] != (scale * height, scale * width):
        return None
    return restored.shape[1], scale


class _Padded:
    """Pads, runs and crops; a class, so that a network that holds it can be copied."""

    def __init__(self, model: nn.Module, multiple: int, scale: int) -> None:
        self.model, self.multiple, self.scale = model, multiple, scale

    def __call__(self, x: Tensor) -> Tensor:
        padded, size = pad_to_multiple(x, self.multiple)
        return crop(self.model(padded), size, self.scale)
