"""The keys that chosen pixels may look at in every stage of a network, and how much they do.

SemanIR (arXiv 2405.20008), Section 3 and Figure 4.

Legend: P pixels asked for, T different tokens that hold them, N tokens per window, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from semanir_arch.archs.base import KeySemanticNetwork, RestorationNetwork
from semanir_arch.modules.attention import KeySemanticAttention
from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.ops import KeySemanticDictionary
from semanir_arch.ops.attention.bias import matrix, strips
from semanir_arch.ops.dictionary.packed_bits import unpack
from semanir_arch.restoring.loading import describe
from semanir_arch.utils.errors import InputError

__all__ = ["Region", "StageSemantics", "check_network", "key_semantics", "stages_of"]

# The windows of the tokens that are looked at together.
_SCRATCH_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Region:
    """The part of a token's window that can hold its keys, h x w tokens.

    Attributes:
        top: First row in the feature map.
        left: First column in the feature map.
        kept: Whether a token is a key; shape (h, w), bool.
        similarity: Similarity, as in `StageSemantics`; shape (h, w), float32.
        attention: Attention, as in `StageSemantics`; shape (h, w), float32.
    """

    top: int
    left: int
    kept: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]
    attention: npt.NDArray[np.float32]


@dataclass(frozen=True)
class StageSemantics:
    """Tokens that one stage lets tokens look at.

    Attributes:
        name: The stage's name in the network, such as `encoders.0`.
        scale: Pixels of the image that a token covers, in height and in width.
        size: Height and width of the feature map in tokens, padding included.
        window_size: Side of the windows in tokens.
        k: Keys that a token may keep at most.
        rows: Row of the tensors below for each pixel, shape (P,), int64. At coarse scales several
            pixels share a token.
        tokens: Positions (y, x) of the tokens, shape (T, 2), int64.
        origins: Position of the first token of their windows, shape (T, 2), int64. Where a shifted
            window reaches over the border, it goes on at the opposite one.
        eligible: Whether a token of the window lies on the same side of that border, so that it
            may be a key; shape (T, N), bool.
        kept: Whether it is a key; shape (T, N), bool.
        similarity: Similarity to each token of the window, as the dictionary compares them: inner
            products or cosines; shape (T, N), float32.
        attention: Weights of the keys, mean over the heads and layers of the stage; rows sum to 1;
            shape (T, N), float32.
    """

    name: str
    scale: int
    size: tuple[int, int]
    window_size: int
    k: int
    rows: Tensor
    tokens: Tensor
    origins: Tensor
    eligible: Tensor
    kept: Tensor
    similarity: Tensor
    attention: Tensor

    def positions(self, row: int) -> Tensor:
        """Positions (y, x) of the window's tokens in the order of the columns, shape (N, 2)."""
        side = torch.arange(self.window_size)
        return (self.origins[row] + torch.cartesian_prod(side, side)) % torch.tensor(self.size)

    def region(self, row: int) -> Region:
        """The eligible tokens of a row: the rectangle around its token that can hold keys."""
        side = self.window_size
        eligible = self.eligible[row].view(side, side)
        rows, columns = eligible.any(dim=1), eligible.any(dim=0)
        top, left = self.positions(row)[self.eligible[row]][0].tolist()

        def cut(values: Tensor) -> npt.NDArray[Any]:
            return values[row].view(side, side)[rows][:, columns].numpy()

        return Region(top, left, cut(self.kept), cut(self.similarity), cut(self.attention))


def check_network(network: RestorationNetwork) -> KeySemanticNetwork:
    """Refuse a network that has no dictionary to explain.

    Raises:
        ValueError: Naming the network and those that can be explained.
    """
    if not isinstance(network, KeySemanticNetwork):
        raise InputError(
            f"{describe(network)} has no key-semantic dictionary to explain; "
            "SemanIR and SemanIRUNet have"
        )
    return network


@torch.inference_mode()
def key_semantics(
    network: RestorationNetwork, image: Tensor, pixels: Tensor
) -> list[StageSemantics]:
    """Run a network on an image, and note what chosen pixels may look at.

    The network computes what it always does; hooks read its dictionaries and are removed. Memory
    is that of the network and of four numbers per pixel, stage and token of a window.

    Args:
        network: Network in evaluation mode.
        image: Shape (1, C, H, W), on the network's device, range [0, 1].
        pixels: Positions (y, x), shape (P, 2), integer, within the image.

    Returns:
        One entry per stage, in the order in which the image meets them; tensors on the CPU.

    Raises:
        ValueError: The network has no dictionaries, or a pixel lies outside the image.
    """
    network = check_network(network)
    height, width = image.shape[-2:]
    pixels = pixels.cpu().long()
    outside = ((pixels < 0) | (pixels >= torch.tensor([height, width]))).any(dim=1)
    if outside.any():
        y, x = pixels[outside][0].tolist()
        raise InputError(f"pixel {x},{y} lies outside the image of {width} x {height} pixels")
    padded_height = height + -height % network.size_multiple
    recorders = [
        _Recorder(name, module, padded_height, pixels) for name, module in stages_of(network)
    ]
    handles = [handle for recorder in recorders for handle in recorder.attach()]
    try:
        network(image)
    finally:
        for handle in handles:
            handle.remove()
    return [recorder.result() for recorder in recorders]


def stages_of(network: KeySemanticNetwork) -> Iterator[tuple[str, KeySemanticStage]]:
    """Stages with their names, in the order in which an image meets them."""
    for name, module in network.named_modules():
        if isinstance(module, KeySemanticStage):
            yield name, module


class _Recorder:
    """Notes what one stage does with the tokens of some pixels.

    Args:
        name: The stage's name.
        stage: The stage.
        height: Height of the padded image, pixels.
        pixels: Shape (P, 2).
    """

    def __init__(self, name: str, stage: KeySemanticStage, height: int, pixels: Tensor) -> None:
        self.name = name
        self.stage = stage
        self.height = height
        self.pixels = pixels

    def attach(self) -> Iterator[RemovableHandle]:
        """Hook into the stage."""
        yield self.stage.register_forward_pre_hook(self._locate)
        yield self.stage.layers[0].register_forward_pre_hook(self._compare)
        for layer in self.stage.layers:
            yield layer.get_submodule("attention").register_forward_pre_hook(self._weigh)

    def result(self) -> StageSemantics:
        """Recorded data; available after the network has run."""
        side = self.stage.window_size
        return StageSemantics(
            name=self.name,
            scale=self.scale,
            size=self.size,
            window_size=side,
            k=min(self.stage.k, side * side),
            rows=self.rows,
            tokens=self.tokens,
            origins=self.origins,
            eligible=self.eligible,
            kept=self.kept,
            similarity=self.similarity,
            attention=self.attention,
        )

    def _locate(self, _: nn.Module, inputs: tuple[Tensor]) -> None:
        """Find the token of each pixel, and that token's window and place."""
        height, width = inputs[0].shape[-2:]
        side, size = self.stage.window_size, torch.tensor([height, width])
        self.size = (height, width)
        self.scale = self.height // height
        self.tokens, self.rows = torch.unique(self.pixels // self.scale, dim=0, return_inverse=True)
        roll = torch.tensor(self.stage.roll(height, width))
        rolled = (self.tokens + roll) % size
        start = rolled // side * side
        self.origins = (start - roll) % size
        self.windows = (start // side) @ torch.tensor([width // side, 1])
        self.places = (rolled - start) @ torch.tensor([side, 1])
        # Windows in which the roll brought opposite borders together.
        line = torch.arange(side)
        beyond = start.unsqueeze(-1) + line - roll.unsqueeze(-1) >= size.unsqueeze(-1)
        own = (rolled - roll >= size).unsqueeze(-1)
        rows, columns = (beyond == own).unbind(1)
        self.eligible = (rows.unsqueeze(2) & columns.unsqueeze(1)).flatten(1)
        self.kept = torch.zeros_like(self.eligible)
        self.similarity = torch.zeros(self.eligible.shape)
        self.attention = torch.zeros(self.eligible.shape)

    def _compare(self, _: nn.Module, inputs: tuple[Tensor, KeySemanticDictionary, str]) -> None:
        """Note what the dictionary was made of, and what it keeps."""
        features, dictionary, _backend = inputs
        for rows, windows, which in self._chunks(features):
            places = self.places[rows].to(features.device)
            tokens = features[windows].float()
            if self.stage.sim_norm == "l2":
                tokens = F.normalize(tokens, dim=-1)
            queries = tokens[which, places].unsqueeze(1)
            self.similarity[rows] = (queries @ tokens[which].mT).squeeze(1).cpu()
            if dictionary.bits is None:
                self.kept[rows] = True
            else:
                bits = dictionary.bits[windows[which], places]
                self.kept[rows] = unpack(bits, dictionary.num_tokens).cpu()

    def _weigh(
        self, attention: KeySemanticAttention, inputs: tuple[Tensor, KeySemanticDictionary, str]
    ) -> None:
        """Add the weights of one layer."""
        features = inputs[0]
        bias = matrix(strips(attention.position_bias())).float()
        for rows, windows, which in self._chunks(features):
            places = self.places[rows].to(features.device)
            q, k, _, scale = attention.project(features[windows])
            scale = q.shape[-1] ** -0.5 if scale is None else scale
            queries = q[which, :, places].unsqueeze(2).float()
            scores = (queries @ k[which].float().mT).squeeze(2) * scale
            scores += bias[:, places].transpose(0, 1)
            dropped = ~self.kept[rows].to(features.device).unsqueeze(1)
            weights = scores.masked_fill(dropped, float("-inf")).softmax(dim=-1).mean(dim=1)
            self.attention[rows] += weights.cpu() / len(self.stage.layers)

    def _chunks(self, features: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Cut the tokens into lots with bounded memory.

        Yields:
            Rows of the tokens; their windows, each once; and for each row which of these it is.
            The latter two on the device of `features`.
        """
        count = max(1, _SCRATCH_BYTES // (4 * features[0].numel()))
        for rows in self.windows.argsort().split(count):
            windows, which = torch.unique(self.windows[rows], return_inverse=True)
            yield rows, windows.to(features.device), which.to(features.device)
