"""Steps that were not taken, because a loss or the gradient was infinite or not a number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from semanir_arch import host
from semanir_arch.utils.errors import NonFiniteError

__all__ = ["SkippedSteps"]


class SkippedSteps:
    """Counts skipped steps, and stops the training after too many.

    Args:
        allowed: Number of steps of a training that may be skipped; option `max_nonfinite`.

    Attributes:
        count: Steps skipped so far; part of the training state.
    """

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.count = 0

    def add(self, iteration: int, values: Mapping[str, float], files: Sequence[str]) -> None:
        """Report one more skipped step.

        Args:
            iteration: Iteration, counted from 1.
            values: Losses and norm of the gradient of the step.
            files: Images of the batch.

        Raises:
            NonFiniteError: It is one more than allowed.
        """
        broken = ", ".join(
            f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)
        )
        message = f"iteration {iteration}: {broken}; files of the batch: {', '.join(files)}"
        if self.count >= self.allowed:
            raise NonFiniteError(
                f"{message}. {self.count} steps were skipped already (train:max_nonfinite), so the "
                "training stops; its weights are those before this step. Look at these files, or "
                "lower the learning rate, clip the gradient (train:clip_grad_norm), or compute in "
                "precision fp32"
            )
        self.count += 1
        logger = host.load("basicsr.utils").get_root_logger()
        logger.warning("%s. Step skipped (%d of at most %d).", message, self.count, self.allowed)
