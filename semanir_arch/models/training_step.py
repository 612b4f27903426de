"""One optimizer step of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from semanir_arch.models.averaging import decay_at
from semanir_arch.models.mixed_precision import autocast
from semanir_arch.models.training_setup import TrainingSetup
from semanir_arch.modules.key_count import draw_k, set_k
from semanir_arch.utils import processes

__all__ = ["TrainingStep"]


class TrainingStep(TrainingSetup):
    """Trains one network on pairs of degraded and clean images.

    Attributes:
        log_dict: Losses and norm of the gradient of the latest step, means over all processes.
    """

    def phase(self, name: str) -> AbstractContextManager[Any]:  # noqa: ARG002
        """Hook around "forward", "backward" and "step"; a profile puts its clock here."""
        return nullcontext()

    def feed_data(self, data: Mapping[str, Any]) -> None:
        """Take over a batch.

        Args:
            data: `lq` and, where known, `gt`: (B, C, H, W), and `lq_path`: the files.
        """
        super().feed_data(data)
        self._files = [str(path) for path in data.get("lq_path", ())]

    def optimize_parameters(self, current_iter: int) -> None:
        """One training step on the batch of `feed_data`.

        Args:
            current_iter: Iteration, counted from 1.

        Raises:
            NonFiniteError: Too many steps had no finite loss or gradient.
        """
        network = self.get_bare_model(self.net_g)
        if self._settings["k"] is not None:
            k = draw_k(self._settings["k"], self.opt["manual_seed"], current_iter)
            set_k(network, k, "train:k")
        if self._frozen and self._warm_start and current_iter > self._warm_start.iters:
            self._thaw()
        lq, gt = self._mixup(self.lq, self.gt) if self._mixup else (self.lq, self.gt)
        # A forward pass that overflows spoils the statistics of batch normalization.
        buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
        self.optimizer_g.zero_grad(set_to_none=True)
        losses = self._accumulate_gradients(lq, gt)
        with self.phase("step"):
            self._step(current_iter, losses, buffers)

    def _accumulate_gradients(self, lq: Tensor, gt: Tensor) -> dict[str, Tensor]:
        """Losses of the batch; their gradient is left in the parameters."""
        parts = min(self._settings["accumulate"], len(lq))
        totals: dict[str, Tensor] = {}
        pairs = zip(lq.tensor_split(parts), gt.tensor_split(parts), strict=True)
        for index, (x, target) in enumerate(pairs, start=1):
            with self._synchronised(index == parts):
                with self.phase("forward"):
                    losses = self._losses(self._restore(x), target, len(x) / len(lq))
                    total = torch.stack(list(losses.values())).sum()
                with self.phase("backward"):
                    self._scaler.scale(total).backward()
            for name, value in losses.items():
                totals[name] = totals.get(name, 0) + value.detach()
        return totals

    def _losses(self, output: Tensor, target: Tensor, share: float) -> dict[str, Tensor]:
        """Losses of restored images, a share of the batch; further model classes add theirs."""
        return self._objective(output, target, share=share)

    def _restore(self, x: Tensor) -> Tensor:
        if self._settings["channels_last"]:
            x = x.contiguous(memory_format=torch.channels_last)
        network = self.net_g if self._compiled is None else self._compiled
        with autocast(self._precision, self.device.type):
            output: Tensor = network(x)
        return output.float()

    def _synchronised(self, last: bool) -> AbstractContextManager[Any]:
        """Processes exchange gradients once per step, after the last part of the batch."""
        if not last and isinstance(self.net_g, DistributedDataParallel):
            return self.net_g.no_sync()
        return nullcontext()

    def _step(
        self,
        current_iter: int,
        losses: Mapping[str, Tensor],
        buffers: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        """Change the weights, or leave them where a loss or the gradient is not finite."""
        self._scaler.unscale_(self.optimizer_g)
        trained = [p for p in self.net_g.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None])
        self.log_dict = self._mean_over_processes({**losses, "grad_norm": norm})
        if all(map(math.isfinite, self.log_dict.values())):
            if self._settings["clip_grad_norm"] is not None:
                nn.utils.clip_grads_with_norm_(trained, self._settings["clip_grad_norm"], norm)
            self._scaler.step(self.optimizer_g)
            if self.ema_decay > 0:
                self.model_ema(decay_at(current_iter, self.ema_decay, self._settings["ema_warmup"]))
        else:
            for buffer, before in buffers:
                buffer.copy_(before)
            self.optimizer_g.zero_grad(set_to_none=True)
            if not self._scale_is_too_large():
                files = [file for batch in processes.gather(self._files) for file in batch]
                self._skipped.add(current_iter, self.log_dict, files)
        self._scaler.update()

    def _scale_is_too_large(self) -> bool:
        """Whether only the gradient of scaled fp16 overflowed: the scaler then tries a smaller one.

        Below 1 it no longer scales up, and something else is wrong.
        """
        finite = all(math.isfinite(v) for k, v in self.log_dict.items() if k != "grad_norm")
        return self._scaler.is_enabled() and finite and self._scaler.get_scale() > 1

    def _mean_over_processes(self, values: Mapping[str, Tensor]) -> dict[str, float]:
        """Averages, the same in every process, so that all agree on what is finite."""
        numbers = torch.stack([value.detach().float() for value in values.values()])
        if processes.world_size() > 1:
            distributed.all_reduce(numbers)
            numbers /= processes.world_size()
        return dict(zip(values, numbers.tolist(), strict=True))
