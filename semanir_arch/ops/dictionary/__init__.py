"""The key-semantic dictionary: which k tokens of its window each token may look at.

SemanIR (arXiv 2405.20008), Section 3, Figure 2c. It is built once per stage and shared by all heads
and layers of the stage. Only the choice leaves this operator, so no gradient flows through the
similarities.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.ops.autocast import without_autocast

from . import fused, naive, threshold
from .packed_bits import pack, unpack
from .union import key_unions

__all__ = ["KeySemanticDictionary", "key_semantic_dictionary"]

SIM_NORMS = ("none", "l2")


@dataclass(frozen=True)
class KeySemanticDictionary:
    """The keys that each token of each window keeps.

    Attributes:
        bits: Shape (nW, N, ceil(N / 32)), int32, one bit per key in the layout of `packing`; None
            if every token
            keeps every key of its window, which is plain attention.
        num_windows: Number of windows, nW.
        num_tokens: N.
        k: Keys kept per token; a token with fewer eligible keys keeps those it has.
        device: Device of the bits.
        dense: The mask itself, shape (nW, N, N), bool, in place of the bits: for exported graphs,
            whose readers cannot take bits apart.
    """

    bits: Tensor | None
    num_windows: int
    num_tokens: int
    k: int
    device: torch.device
    dense: Tensor | None = None
    _unions: dict[int, tuple[Tensor, Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def masked(self) -> bool:
        """Whether any token drops any key."""
        return self.bits is not None or self.dense is not None

    def mask(self, windows: slice = slice(None)) -> Tensor:
        """Whether key j is kept by token i, shape (number of windows in the slice, N, N), bool."""
        if self.dense is not None:
            return self.dense[windows]
        if self.bits is None:
            count = len(range(*windows.indices(self.num_windows)))
            shape = (count, self.num_tokens, self.num_tokens)
            return torch.ones(shape, dtype=torch.bool, device=self.device)
        return unpack(self.bits[windows], self.num_tokens)

    def indices(self) -> Tensor:
        """Kept keys in ascending order, shape (nW, N, k), int64; -1 fills shorter rows."""
        kept, index = self.mask().to(torch.uint8).sort(dim=-1, descending=True, stable=True)
        return index[..., : self.k].masked_fill(kept[..., : self.k] == 0, -1)

    def union(self, block: int) -> tuple[Tensor, Tensor, Tensor]:
        """Keys used by each block of `block` queries, as `union.key_unions` lists them.

        Made on the first call and kept: all layers of a stage share them.

        Raises:
            ValueError: If every key is kept.
        """
        if self.bits is None:
            raise ValueError("every key is kept: a union would list them all")
        if block not in self._unions:
            self._unions[block] = key_unions(self.bits, self.num_tokens, block)
        return self._unions[block]


@torch.no_grad()
def key_semantic_dictionary(
    x: Tensor,
    k: int,
    *,
    groups: Tensor | None = None,
    sim_norm: str = "none",
    backend: str = "auto",
) -> KeySemanticDictionary:
    """Build the key-semantic dictionary of a batch of windows.

    Similarities are inner products in float32, whatever the dtype of `x` and whether or not
    autocast is on: rounded to bfloat16, the k-th place would be ambiguous in most rows. Equal
    similarities go to the lower index.

    Args:
        x: Features of the tokens, shape (nW, N, C), any floating dtype.
        k: Keys kept per token; values above N mean N.
        groups: Shape (nW, N), integer: tokens of a window may look at each other only if they carry
            the same number (the regions of a cyclically shifted window, or padding against
            content). Applied before the selection. None: no restriction.
        sim_norm: "none" for raw inner products (the paper), "l2" for cosine similarity.
        backend: "naive" for the definition (a stable sort of all windows at once, in plain torch
            operations; what torch.export turns into a graph without this package's operators),
            "triton" or "triton_union" for the kernels, anything else for the fast
            selection of `threshold`; "auto" for the kernels where they have been proven. All give
            the same result.

    Raises:
        ValueError: If `x` or `groups` has another shape, `k` is below 1 or `sim_norm` is unknown.
        NotImplementedError: If the kernels are named and cannot run here.
    """
    if x.dim() != 3 or not x.is_floating_point():
        raise ValueError(
            f"x must be floating point of shape (nW, N, C), got {x.dtype} of shape {tuple(x.shape)}"
        )
    if k < 1:
        raise ValueError(f"k={k} must be at least 1")
    if sim_norm not in SIM_NORMS:
        raise ValueError(
            f"sim_norm={sim_norm!r} is unknown; allowed: {', '.join(map(repr, SIM_NORMS))}"
        )
    num_windows, num_tokens, _ = x.shape
    if groups is not None and groups.shape != x.shape[:2]:
        raise ValueError(f"groups must have shape {tuple(x.shape[:2])}, got {tuple(groups.shape)}")
    k = min(k, num_tokens)
    sizes = (num_windows, num_tokens, k, x.device)
    if k < num_tokens:
        with without_autocast(x.device.type):
            kept = _select(x.detach(), k, groups, sim_norm, backend)
    elif groups is not None:
        kept = groups.unsqueeze(-1) == groups.unsqueeze(-2)
    else:
        return KeySemanticDictionary(None, *sizes)
    if backend == "naive" and torch.compiler.is_exporting():
        return KeySemanticDictionary(None, *sizes, dense=kept)
    return KeySemanticDictionary(pack(kept) if kept.dtype == torch.bool else kept, *sizes)


def _select(x: Tensor, k: int, groups: Tensor | None, sim_norm: str, backend: str) -> Tensor:
    """Kept keys, as a mask or as bits, whichever the implementation makes."""
    if sim_norm == "l2":
        x = F.normalize(x.float(), dim=-1)
    if backend == "auto" and fused.volunteers(x.device.type, x.shape[1]):
        backend = "triton"
    if backend.startswith("triton"):
        reason = fused.why_not(x.device.type, x.shape[1])
        if reason is not None:
            raise NotImplementedError(f"backend {backend!r} cannot select keys here: {reason}")
        # Products of 16-bit features are exact in float32: no need to widen the features first.
        return fused.select_bits(x.float() if x.dtype == torch.float64 else x, k, groups)
    if backend == "naive":
        return naive.select(x.float(), k, groups)
    return threshold.select_bits(x.float(), k, groups)
