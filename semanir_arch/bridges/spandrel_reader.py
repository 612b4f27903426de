"""Networks of others, read by spandrel from the names and shapes of their weights.

spandrel (MIT) is the library by which chaiNNer and ComfyUI load some fifty architectures. Where the
package spandrel_extra_arches is installed too, its architectures, some of them for non-commercial
use only, are read as well.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from semanir_arch.bridges.foreign import ForeignNetwork
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint
from semanir_arch.utils.checkpoint_names import common_prefix
from semanir_arch.utils.errors import InputError

__all__ = ["INSTALL", "OURS", "ForeignError", "SpandrelNetwork", "is_installed", "recognise"]

INSTALL = "pip install 'semanir-arch[spandrel]'"

OURS = "semanir_arch."
"""Prefix of this package's networks in spandrel's registries."""

_LOADING_ERRORS = (
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError),
    *(ArithmeticError, NotImplementedError),
)
"""Errors that the loaders of fifty architectures raise on weights that are not quite theirs."""

_SHOWN = 200
"""Characters of such an error."""

_IRRELEVANT = frozenset(
    {"img_size", "drop_rate", "attn_drop_rate", "drop_path_rate", "use_checkpoint"}
)
"""Arguments of a training, which change nothing in the result."""


class ForeignError(InputError):
    """A file that spandrel cannot load; the message says why."""


def is_installed() -> bool:
    """Whether spandrel is there."""
    return importlib.util.find_spec("spandrel") is not None


def recognise(checkpoint: Checkpoint) -> ForeignNetwork | None:
    """Build the network whose weights a file holds, if spandrel knows it.

    Args:
        checkpoint: Result of `load_checkpoint`. If the names are unknown with a prefix that all
            share, it is removed.

    Returns:
        The network with its weights; None if no architecture has such weights.

    Raises:
        ForeignError: spandrel takes the weights for another network than the file says, cannot load
            them, or they are of a network that needs more than an image.
    """
    from spandrel import ImageModelDescriptor, UnsupportedModelError

    registry, params = _registry(), dict(checkpoint.params)
    while True:
        try:
            descriptor = registry.load(dict(params))
            break
        except UnsupportedModelError:
            prefix = common_prefix(params)
            if not prefix:
                return None
            params = {name.removeprefix(prefix): value for name, value in params.items()}
        except _LOADING_ERRORS as error:
            reason = " ".join(str(error).split())[:_SHOWN] or type(error).__name__
            raise ForeignError(
                f"{checkpoint.source}: spandrel cannot load these weights ({reason})"
            ) from error
    if not isinstance(descriptor, ImageModelDescriptor):
        raise ForeignError(
            f"{checkpoint.source}: {descriptor.architecture.name} fills holes and needs a mask "
            "beside the image; only networks that turn an image into an image restore here"
        )
    _check_agreement(checkpoint, descriptor)
    return _wrap(descriptor)


class SpandrelNetwork(ForeignNetwork):
    """A network for option files: `network_g: {type: SpandrelNetwork, file: 4x.pth}`.

    Args:
        file: Weights of an architecture that spandrel knows.

    Raises:
        FileNotFoundError: No such file.
        ValueError: spandrel is not installed, or cannot load the file.
    """

    def __init__(self, file: str) -> None:
        if not is_installed():
            raise InputError(f"{file}: other projects' networks need spandrel: {INSTALL}")
        found = recognise(load_checkpoint(file))
        if found is None:
            raise ForeignError(f"{file}: no architecture that spandrel knows has these weights")
        super().__init__(
            found.model,
            found._call,
            name=found.name,
            in_chans=found.in_chans,
            out_chans=found.out_chans,
            upscale=found.upscale,
            size_multiple=found.size_multiple,
            supports_bfloat16=found.supports_bfloat16,
        )
        self.file = file


def _wrap(descriptor: Any) -> ForeignNetwork:
    descriptor.eval()
    return ForeignNetwork(
        descriptor.model,
        # the descriptor pads to what the network needs, and crops
        descriptor,
        name=str(descriptor.architecture.name),
        in_chans=descriptor.input_channels,
        out_chans=descriptor.output_channels,
        upscale=descriptor.scale,
        size_multiple=descriptor.size_requirements.multiple_of,
        supports_bfloat16=descriptor.supports_bfloat16,
    )


def _registry() -> Any:
    """All architectures of others; the program's own registry stays as it is."""
    from spandrel import MAIN_REGISTRY, ArchRegistry

    registry = ArchRegistry()
    entries = MAIN_REGISTRY.architectures()
    # ours may have been added there: files of them are read without spandrel
    registry.add(*(one for one in entries if not one.architecture.id.startswith(OURS)))
    if importlib.util.find_spec("spandrel_extra_arches") is not None:
        from spandrel_extra_arches import EXTRA_REGISTRY

        registry.add(*EXTRA_REGISTRY, ignore_duplicates=True)
    return registry


def _check_agreement(checkpoint: Checkpoint, descriptor: Any) -> None:
    """Compare what spandrel deduced with what the file says, where it says anything.

    Raises:
        ForeignError: They differ, so that the result would be wrong.
    """
    block: Mapping[str, Any] = checkpoint.network or {}
    deduced = {**getattr(descriptor.model, "hyperparameters", {})}
    for name in ("scale", "upscale"):
        # of a restoration network it may be anything
        if name in block and (block[name] != 1 or descriptor.scale != 1):
            deduced[name] = descriptor.scale
    differing = [
        f"{name} is {block[name]!r} in the file, {value!r} deduced"
        for name, value in deduced.items()
        if name in block and name not in _IRRELEVANT and _plain(block[name]) != _plain(value)
    ]
    if differing:
        raise ForeignError(
            f"{checkpoint.source}: spandrel would build another {descriptor.architecture.name} "
            f"than the one that was trained: {'; '.join(differing)}"
        )


def _plain(value: Any) -> Any:
    """Equal for lists and tuples of equal numbers."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.tolist() if isinstance(value, Tensor) else value
