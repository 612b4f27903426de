"""The evaluation half of the model: restore a dataset, score every image, log the means.

Several processes share the images: each restores, scores and writes its own, and all know all
scores afterwards. BasicSR validates in one process while the others wait, until their collective
times out where the set is long.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm  # type: ignore[import-untyped]

from semanir_arch import host
from semanir_arch.archs.argument_types import Keys
from semanir_arch.data.datasets.submissions import Submission
from semanir_arch.data.files.image_io import to_integer, write_image
from semanir_arch.data.sources.item_names import ItemNames
from semanir_arch.evaluation.image_restoring import Restoring
from semanir_arch.metrics.metric_names import ExtraMetric, is_lower_better, name_metrics
from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.metrics.scores import Evaluation, Example, Keeper, Row
from semanir_arch.modules.key_count import set_k
from semanir_arch.utils import devices, processes
from semanir_arch.utils.memory import peak_memory
from semanir_arch.utils.options import Option

__all__ = ["Validation"]

_LOGGER = logging.getLogger("basicsr")

SRModel: Any = host.load("basicsr.models.sr_model").SRModel


@dataclass(frozen=True)
class _Item:
    """One image of a data set.

    Args:
        dataset: Name of the data set.
        index: Place in it.
        name: Name of the image.
        path: Path of the written restored image, or None.
        view: Channels of the input that are a picture, as the data set says; None for none.
        has_target: Whether there is a clean image.
    """

    dataset: str
    index: int
    name: str
    path: Path | None
    view: slice | None
    has_target: bool


class Validation(SRModel):
    """Evaluates one network on pairs of degraded and clean images.

    Attributes:
        evaluations: Scores of the latest evaluation of every dataset, by the dataset's name.
        examples: First image of every dataset in the latest evaluation of a training; in the first
            process.
        keeper: Keeper that is told every image, and may know the scores of some.
        tile: Side in pixels of the tiles in which the latest image was restored; None if whole.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        "val.k": Option(
            Keys,
            default=None,
            help="keys kept per token in evaluation; null for the network's own",
        ),
        "val.protocol": Option(
            str,
            default=None,
            choices=(*PROTOCOLS, None),
            help="color space, rounding, border and averaging",
        ),
        **{f"val.{name}": option for name, option in Restoring.OPTIONS.items()},
    }

    def __init__(self, opt: dict[str, Any]) -> None:
        val = opt.get("val") or {}
        self._restoring = Restoring.from_options(val)
        self._extras = name_metrics(val.get("metrics"), val.get("protocol"))
        super().__init__(opt)
        self.evaluations: dict[str, Evaluation] = {}
        self.examples: dict[str, Example] = {}
        self.keeper = Keeper()
        self.tile: int | None = None
        self._built_k = getattr(self.get_bare_model(self.net_g), "k", None)

    def test(self) -> None:
        """Restore `self.lq` into `self.output`, of the same size times the scale."""
        averaged = hasattr(self, "net_g_ema")
        # Not the wrapped network, which would wait for processes that have fewer images.
        network = self.net_g_ema if averaged else self.get_bare_model(self.net_g)
        k = (self.opt.get("val") or {}).get("k")
        with torch.no_grad(), self._evaluating(network, k):
            self.output, self.tile = self._restoring(network, self.lq, self.opt.get("scale", 1))

    def validation(
        self,
        dataloader: DataLoader[Any],
        current_iter: int | str,
        tb_logger: Any,
        save_img: bool = False,
    ) -> None:
        """Restore and score one dataset, log the means, keep the scores in `evaluations`.

        Every process of the run must call it. Scores, their order and their means do not depend
        on the number of processes.

        Args:
            dataloader: Loader of one image per batch.
            current_iter: Iteration, or in a test the name of the run.
            tb_logger: TensorBoard writer, or None.
            save_img: Whether to write the restored images.
        """
        if self.is_train:
            # After the last iteration, BasicSR has counted one more.
            current_iter = min(int(current_iter), int(self.opt["train"]["total_iter"]))
        dataset = dataloader.dataset.opt["name"]  # type: ignore[attr-defined]
        count = len(dataloader.dataset)  # type: ignore[arg-type]
        everything = self.keeper.known(dataset, count)
        unknown = [index for index in range(count) if index not in everything]
        mine = unknown[processes.rank() :: processes.world_size()]
        submission = self._find_submission(dataloader.dataset, dataset)
        view = getattr(dataloader.dataset, "input_view", slice(None))
        names = ItemNames(dataloader.dataset)
        names.check()
        rows: dict[int, Row] = {}
        loader = tqdm(_only(dataloader, mine), **self._bar(dataset))
        for index, data in zip(mine, loader, strict=True):
            name = names.of(index, data)
            path = self._image_path(dataset, name, current_iter) if save_img else None
            item = _Item(dataset, index, name, path, view, has_target="gt" in data)
            rows[index] = self._score(item, self._restore_item(name, data, path, submission))
        for part in processes.gather(rows):
            everything |= part
        evaluation = Evaluation(
            dataset,
            self.opt["val"].get("protocol"),
            [everything[index] for index in sorted(everything)],
            self._extras,
        )
        names.check([row.image for row in evaluation.rows])
        if submission is not None and processes.rank() == 0:
            seconds = sum(row.seconds or 0 for row in evaluation.rows)
            files = submission.bundle(method=self.opt["name"], seconds=seconds)
            number = "1 file" if len(files) == 1 else f"{len(files)} files"
            _LOGGER.info("To be uploaded: %s in %s", number, files[0].parent)
        self.evaluations[dataset] = evaluation
        for note in evaluation.notes() if processes.rank() == 0 else ():
            _LOGGER.warning(note)
        self.metric_results = evaluation.means()
        if self.metric_results:
            self._keep_best(dataset, current_iter)
            self._log_validation_metric_values(current_iter, dataset, tb_logger)

    def _find_submission(self, dataset: Any, name: str) -> Submission | None:
        """Find the destination of a test whose targets a server keeps."""
        if self.is_train or not hasattr(dataset, "submission"):
            return None
        found: Submission = dataset.submission(
            Path(self.opt["path"]["visualization"], name, "submission")
        )
        return found

    def _restore_item(
        self, name: str, data: Mapping[str, Any], path: Path | None, submission: Submission | None
    ) -> float:
        """Restore one image, and write it where it is wanted; returns the seconds it took."""
        self.feed_data(data)
        start = time.perf_counter()
        self.test()
        if self.output.device.type != "cpu":
            devices.synchronize()
        seconds = time.perf_counter() - start
        if path is not None:
            write_image(path, _to_image(self.output))
        if submission is not None:
            submission.add(name, self.output[0].float().permute(1, 2, 0).cpu().numpy())
        return seconds

    def _bar(self, dataset: str) -> dict[str, Any]:
        """Arguments of the progress bar, which the first process shows for its share."""
        wanted = bool(self.opt["val"].get("pbar", False))
        hidden = not wanted or processes.rank() != 0
        return {"desc": dataset, "unit": "image", "disable": hidden, "leave": not self.is_train}

    def _example(self, item: _Item) -> Example | None:
        """The images of an item, where the training's log or the keeper wants them."""
        first = item.index == 0 and self.is_train
        if not first and not self.keeper.wants_example(item.dataset, item.index):
            return None
        images = {} if item.view is None else {"input": self.lq[:, item.view]}
        images["output"] = self.output
        if item.has_target:
            images["target"] = self.gt
        example = Example(item.name, {part: _to_image(image) for part, image in images.items()})
        if not first:
            return example
        self.examples[item.dataset] = example
        return None

    def _score(self, item: _Item, seconds: float) -> Row:
        """Score `self.lq` and `self.output`, and tell the keeper.

        Both are scored against `self.gt`, where there is one, and by metrics that need none.
        """
        output, given = self.output[0].float().cpu(), self.lq[0].float().cpu()
        target = self.gt[0].float().cpu() if item.has_target else None
        comparable = target is not None and given.shape == target.shape
        row = Row(item.name, {}, {}, seconds, peak_memory(), self.tile)
        name = self.opt["val"].get("protocol")
        if name and target is not None:
            measure, scale = PROTOCOLS[name].evaluate_batch, self.opt.get("scale", 1)
            for scores, image in ((row.input, given), (row.output, output)):
                if image is output or comparable:
                    found = measure(image, target, scale)
                    scores.update({label: value.item() for label, value in found.items()})
        # a packed mosaic, or a pair of views, is no picture
        is_picture = item.view == slice(None)
        for label, extra in self._extras.items():
            alone = not _needs_target(extra)
            if alone or target is not None:
                row.output[label] = _host_metric(extra, output, target)
            if comparable or (alone and is_picture):
                row.input[label] = _host_metric(extra, given, target if comparable else None)
        self.keeper.measured(item.dataset, item.index, row, self._example(item), item.path)
        return row

    def _keep_best(self, dataset: str, current_iter: int | str) -> None:
        """Remember the best mean of every score, as BasicSR does during training."""
        if not self.is_train:
            return
        if not hasattr(self, "best_metric_results"):
            self.best_metric_results: dict[str, dict[str, dict[str, Any]]] = {}
        best = self.best_metric_results.setdefault(dataset, {})
        for name, value in self.metric_results.items():
            better = "lower" if is_lower_better(name, self._extras) else "higher"
            worst = float("-inf") if better == "higher" else float("inf")
            best.setdefault(name, {"better": better, "val": worst, "iter": -1})
            self._update_best_metric_result(dataset, name, value, current_iter)

    def _image_path(self, dataset: str, name: str, current_iter: int | str) -> Path:
        folder = Path(self.opt["path"]["visualization"], dataset)
        if self.is_train:
            return folder / name / f"{Path(name).name}_{current_iter}.png"
        return folder / f"{name}_{self.opt['val'].get('suffix') or self.opt['name']}.png"

    @contextmanager
    def _evaluating(self, network: nn.Module, k: int | None) -> Iterator[None]:
        """Evaluation mode with `k` keys, until the block ends."""
        was_training, kept = network.training, getattr(network, "k", None)
        network.eval()
        wanted = k or self._built_k
        if wanted is not None:
            set_k(network, wanted, "val:k")
        try:
            yield
        finally:
            network.train(was_training)
            if kept is not None:
                set_k(network, kept, "val:k")


def _only(dataloader: DataLoader[Any], indices: Sequence[int]) -> DataLoader[Any]:
    """Some images of a dataset, perhaps none."""
    if len(indices) == len(dataloader.dataset):  # type: ignore[arg-type]
        return dataloader
    return DataLoader(
        Subset(dataloader.dataset, indices),
        batch_size=1,
        num_workers=dataloader.num_workers,
        pin_memory=dataloader.pin_memory,
    )


def _needs_target(extra: ExtraMetric) -> bool:
    """Whether a metric compares with a target, as its signature tells."""
    metric = host.load("basicsr.utils.registry").METRIC_REGISTRY.get(extra.block["type"])
    target = inspect.signature(metric).parameters.get("img2")
    return target is not None and target.default is inspect.Parameter.empty


def _host_metric(extra: ExtraMetric, image: Tensor, target: Tensor | None) -> float:
    """A metric in BasicSR's form: on uint8 images of shape (H, W, C), BGR.

    Args:
        extra: Entry of `val.metrics`.
        image: Shape (C, H, W), RGB or gray, range [0, 1]; clamped and rounded here.
        target: Target image, as `image`; None for metrics that need none.
    """
    to_image = host.load("basicsr.utils").tensor2img
    arguments = {key: value for key, value in extra.block.items() if key != "better"}
    images = {"img": to_image([image])}
    if target is not None:
        images["img2"] = to_image([target])
    return float(host.load("basicsr.metrics").calculate_metric(images, arguments))


def _to_image(output: Tensor) -> Any:
    """A batch of one, (1, C, H, W) in about [0, 1], as an image (H, W, C), uint8."""
    return to_integer(output[0].float().permute(1, 2, 0).cpu().numpy())
