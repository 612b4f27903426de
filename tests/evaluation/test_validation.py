"""Validation shared by several processes: the numbers of one."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import semanir_arch.plugin  # noqa: F401 - registers the networks
from semanir_arch import host
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.utils import processes
from tests.helpers import TINY_UNET
from tests.processes import joined, needs_fork, run_processes

IMAGES = 5


class Pairs(Dataset):
    """Images of different sizes, some without noise, so that a score is infinite."""

    opt = {"name": "pairs"}  # noqa: RUF012 - where BasicSR looks for it

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        gt = torch.rand(3, 12 + index, 15, generator=generator)
        lq = gt + (index % 3) * 0.05 * torch.randn(gt.shape, generator=generator)
        return {"lq": lq, "gt": gt, "lq_path": f"/x/{index}.png", "gt_path": f"/x/{index}.png"}


def options(folder):
    paths = {name: str(folder / name) for name in ("models", "training_states", "visualization")}
    return {
        "name": "run",
        "is_train": True,
        "num_gpu": 0,
        "dist": False,
        "rank": 0,
        "manual_seed": 1,
        "network_g": copy.deepcopy(TINY_UNET),
        "path": {"pretrain_network_g": None, **paths},
        "train": {
            "total_iter": 10,
            "optim_g": {"type": "Adam", "lr": 1e-3},
            "scheduler": {"type": "MultiStepLR", "milestones": [5]},
            "pixel_opt": {"type": "L1Loss"},
        },
        "val": {
            "protocol": "denoise_rgb",
            "metrics": {"y": {"type": "calculate_psnr", "crop_border": 1, "test_y_channel": True}},
        },
    }


def validate(rank, folder):
    """Everything that a validation of two iterations leaves behind in one process."""
    torch.manual_seed(0)
    model = RestorationModel(options(folder))
    model.validation(DataLoader(Pairs()), 3, None, save_img=True)
    torch.nn.init.constant_(model.net_g.last.bias, 10.0)
    first = model.evaluations["pairs"]
    model.validation(DataLoader(Pairs()), 4, None, save_img=False)
    return first, model.evaluations["pairs"], model.best_metric_results, set(model.examples)


@needs_fork
@pytest.mark.parametrize("count", [2, 3, IMAGES + 2])
def test_scores_and_best_of_several_processes_are_those_of_one(count, tmp_path):
    (alone,) = run_processes(1, joined, validate, tmp_path / "alone")
    assert [row.image for row in alone[0].rows] == [str(index) for index in range(IMAGES)]
    assert alone[2]["pairs"]["y"]["iter"] == 3
    results = run_processes(count, joined, validate, tmp_path / "shared")
    for rank, (first, second, best, examples) in enumerate(results):
        assert (first, second, best) == alone[:3]
        assert examples == ({"pairs"} if rank == 0 else set())
    written = {
        name: {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.png")}
        for name in ("alone", "shared")
    }
    assert len(written["alone"]) == IMAGES
    assert written["shared"] == written["alone"]


def records_of(rank, folder):
    """Lines that one process logs."""
    logger, lines = logging.getLogger("basicsr"), []
    host.load("basicsr.utils.logger").initialized_logger.clear()
    logger.handlers.clear()
    host.load("basicsr.utils").get_root_logger(log_file=str(folder / f"{rank}.log"))
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    validate(rank, folder)
    return lines


@needs_fork
def test_the_means_are_logged_once_in_the_format_of_basicsr(tmp_path):
    first, second = run_processes(2, joined, records_of, tmp_path)
    logged = [line for line in first if line.startswith("Validation pairs\n")]
    assert len(logged) == 2
    assert "\t # psnr: " in logged[1]
    assert "\tBest: " in logged[1]
    assert logged[1].rstrip().endswith("@ 3 iter")
    assert second == []


def fail_in_the_second(rank):
    if rank == 1:
        raise ValueError("this image is broken")
    with pytest.raises(RuntimeError) as error:
        processes.gather(rank)
    return processes.lost_connection(error.value)


@needs_fork
def test_a_process_that_fails_does_not_let_the_others_wait():
    """They would wait for a day, if only the time limit ended it."""
    lost, failed = run_processes(2, joined, fail_in_the_second)
    assert str(failed) == "this image is broken"
    assert lost is True


def validate_as_basicsr(rank, folder):
    """Scores that plain SRModel knows after a validation."""
    model = host.load("basicsr.models.sr_model").SRModel(options(folder))
    model.opt |= {"dist": True, "rank": rank}
    model.opt["val"].pop("protocol")
    model.validation(DataLoader(Pairs()), 3, None, save_img=False)
    return getattr(model, "metric_results", None)


@needs_fork
def test_basicsr_validates_in_one_process(tmp_path):
    """The defect: the others wait for the first, and never know the scores."""
    first, second = run_processes(2, joined, validate_as_basicsr, tmp_path)
    assert first.keys() == {"y"}
    assert second is None


class Pictures(Pairs):
    """The same without targets."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        return {"lq": item["lq"], "lq_path": item["lq_path"]}


def test_without_targets_only_scores_that_need_none_are_computed(tmp_path, monkeypatch):
    changed = options(tmp_path)
    alone = {"type": "semanir_niqe", "better": "lower"}
    changed["val"]["metrics"]["niqe"] = alone
    seen = []

    def score(images, arguments):
        seen.append((sorted(images), arguments["type"]))
        return float(images["img"].mean())

    monkeypatch.setattr(host.load("basicsr.metrics"), "calculate_metric", score)
    model = RestorationModel(changed)
    model.validation(DataLoader(Pictures()), 1, None, False)
    rows = model.evaluations["pairs"].rows
    assert len(rows) == IMAGES
    assert all(row.input.keys() == row.output.keys() == {"niqe"} for row in rows)
    assert seen == [(["img"], "semanir_niqe")] * (2 * IMAGES)
