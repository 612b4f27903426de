"""Options of a model that trains a network of a few hundred parameters."""

from __future__ import annotations

import copy

import pytest

from tests.helpers import TINY_UNET


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
