"""A training of a moment, and its test."""

from __future__ import annotations

import copy
import logging

import pytest

from semanir_arch import host
from semanir_arch.data.files.image_io import write_image
from semanir_arch.utils.options import to_yaml
from tests.helpers import TINY_UNET, make_image

COMMON = {
    "name": "run",
    "model_type": "RestorationModel",
    "num_gpu": 0,
    "manual_seed": 1,
    "network_g": TINY_UNET,
}

DATASET = {"name": "a", "type": "GaussianDenoisingDataset", "dataroot_gt": "images", "sigma": 25}

TRAIN = COMMON | {
    "path": {"pretrain_network_g": None},
    "datasets": {
        "train": DATASET | {"patch_size": 8, "batch_size_per_gpu": 1, "num_worker_per_gpu": 0},
        "val": DATASET,
    },
    "train": {
        "total_iter": 4,
        "optim_g": {"type": "Adam", "lr": 1e-3},
        "scheduler": {"type": "MultiStepLR", "milestones": [3]},
        "pixel_opt": {"type": "L1Loss"},
    },
    "val": {"val_freq": 100, "save_img": False, "protocol": "denoise_rgb"},
    "logger": {"print_freq": 1, "save_checkpoint_freq": 1, "use_tb_logger": False},
}

TEST = COMMON | {
    "path": {"pretrain_network_g": "experiments/run/models/net_g_latest.pth"},
    "datasets": {"test": DATASET},
    "val": {"save_img": False, "protocol": "denoise_rgb"},
}


def forget_the_log() -> None:
    """Let the next run open its own log, as in a process of its own."""
    host.load("basicsr.utils.logger").initialized_logger.clear()
    logging.getLogger("basicsr").handlers.clear()


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Working folder with two images and the files train.yml and test.yml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})
    for name in ("a", "b"):
        write_image(tmp_path / "images" / f"{name}.png", make_image((16, 20, 3)))
    (tmp_path / "none.yml").write_text("{}")
    for name, options in (("train", TRAIN), ("test", TEST)):
        (tmp_path / f"{name}.yml").write_text("_base_: [none.yml]\n" + to_yaml(options))
    return tmp_path


@pytest.fixture
def options(tmp_path):
    """As BasicSR hands them to a model; its folders lie below `tmp_path`."""
    for folder in ("models", "training_states", "visualization"):
        (tmp_path / folder).mkdir()
    folders = {f: str(tmp_path / f) for f in ("models", "training_states", "visualization")}
    return {
        "name": "run",
        "is_train": True,
        "num_gpu": 0,
        "dist": False,
        "rank": 0,
        "manual_seed": 1,
        "network_g": copy.deepcopy(TINY_UNET),
        "path": {"pretrain_network_g": None, **folders},
        "train": {
            "total_iter": 10,
            "ema_decay": 0.5,
            "optim_g": {"type": "AdamW", "lr": 1e-3, "weight_decay": 1e-4},
            "scheduler": {"type": "MultiStepLR", "milestones": [5]},
            "pixel_opt": {"type": "L1Loss"},
        },
        "val": {"protocol": "denoise_rgb"},
    }
