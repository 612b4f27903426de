"""The options that this package adds to those of BasicSR, with type, range and unit."""

from __future__ import annotations

from typing import Annotated

from semanir_arch.utils.options.basicsr_keys import ITERATIONS
from semanir_arch.utils.options.option_types import Bounds, Entries, Length, Option

_STAGE = Annotated[
    dict[str, object],
    Entries(
        {
            "iters": ITERATIONS,
            "batch_size_per_gpu": Annotated[int, Bounds(1, 65536)],
            "patch_size": Annotated[int, Bounds(1, 65536)],
        },
        required=("iters",),
    ),
]

ROOT: dict[str, Option] = {
    "other_arithmetic": Option(
        bool,
        default=False,
        help="continue even if a process cannot compute attention as the saved state or the first "
        "process did; results then differ in their last digits",
    ),
}

LOGGER: dict[str, Option] = {
    "keep_states": Option(
        Annotated[int, Bounds(1)],
        default=None,
        help="saved states to keep, newest first, 1 or more; from 2 on a damaged one does no harm; "
        "null for all, as BasicSR does",
    ),
    "keep_best": Option(
        Annotated[dict[str, object], Entries({"dataset": str, "metric": str})],
        default=None,
        help="dataset (name of a validation set) and metric: their best networks are also saved as "
        "net_g_best.pth",
    ),
}

TRAIN_DATASET: dict[str, Option] = {
    "progressive": Option(
        Annotated[list[_STAGE], Length(1)],
        default=None,
        help="stages in order, each with iters (iterations), batch_size_per_gpu (samples) and "
        "patch_size (side in pixels of the target); null for one size",
    ),
    "allow_repeats": Option(
        bool,
        default=True,
        help="whether a set smaller than a batch is shown more than once in a step; false refuses "
        "such a set",
    ),
}
