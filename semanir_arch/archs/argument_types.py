"""Types and ranges of the arguments of networks.

They stand in the signatures of the constructors. Option files and weights files are held against
them before anything is built, so that a file that asks for a billion layers is refused at once. The
limits lie well above every published network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from semanir_arch.modules.attention import SCORES
from semanir_arch.modules.stage import NORM_PLACES
from semanir_arch.ops.backend import ATTENTION_BACKENDS
from semanir_arch.ops.dictionary import SIM_NORMS
from semanir_arch.utils.values import Bounds, Length, OneOf

__all__ = [
    "SHIFTS",
    "Backend",
    "Channels",
    "Depth",
    "Depths",
    "Expansion",
    "Groups",
    "Heads",
    "Hidden",
    "Keys",
    "NormPlace",
    "OutChannels",
    "ResidualBlocks",
    "Score",
    "Shift",
    "SimNorm",
    "Upscale",
    "Width",
    "Widths",
    "Window",
    "Windows",
]

SHIFTS = ("none", "stage")

_MOST_STAGES = 32
_MOST_LAYERS = 512

Upscale = Annotated[int, Bounds(1, 16)]
"""Enlargement, or the side of squares of pixels."""

Channels = Annotated[int, Bounds(1, 64)]
"""Number of channels of input images."""

OutChannels = Annotated[int, Bounds(0, 64)]
"""Number of channels of output images; 0 for as many as in."""

Width = Annotated[int, Bounds(1, 4096)]
"""Channels inside a network."""

Widths = Annotated[Sequence[Width], Length(1, _MOST_STAGES)]
"""Channels of each scale."""

Depth = Annotated[int, Bounds(0, 128)]
"""Layers of a stage."""

Depths = Annotated[Sequence[Depth], Length(1, _MOST_STAGES, total=_MOST_LAYERS)]
"""Layers of each stage."""

Heads = Annotated[Sequence[Annotated[int, Bounds(1, 512)]], Length(1, _MOST_STAGES)]
"""Attention heads of each stage."""

Window = Annotated[int, Bounds(1, 64)]
"""Side of a window in pixels; attention within it takes the fourth power of memory."""

Windows = Annotated[Sequence[Window], Length(1, _MOST_STAGES)]
"""Side of the windows of each scale."""

Expansion = Annotated[float, Bounds(above=0, most=16)]
"""Hidden channels per channel."""

Keys = Annotated[int, Bounds(1, 2**20)]
"""Kept keys per token."""

Hidden = Annotated[int, Bounds(1, 8192)]
"""Hidden width of a small network."""

Groups = Annotated[int, Bounds(1, 4096)]
"""Groups of a convolution."""

_Blocks = Annotated[int, Bounds(0, 32)]

_BlocksOfEach = Annotated[Sequence[_Blocks], Length(1, _MOST_STAGES, total=_MOST_LAYERS)]

ResidualBlocks = _Blocks | _BlocksOfEach
"""Residual blocks behind each stage, for all or for each."""

Shift = Annotated[str, OneOf(*SHIFTS)]
"""Whether every second stage has its windows moved by half a window."""

SimNorm = Annotated[str, OneOf(*SIM_NORMS)]
"""Similarity of the dictionary."""

Score = Annotated[str, OneOf(*SCORES)]
"""Attention scores."""

NormPlace = Annotated[str, OneOf(*NORM_PLACES)]
"""Place of the LayerNorms in a layer."""

Backend = Annotated[str, OneOf("auto", *ATTENTION_BACKENDS)]
"""Implementation of the attention."""
