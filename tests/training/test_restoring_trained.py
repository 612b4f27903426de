"""What train.py writes restores, whichever model class has trained whichever network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch import host
from semanir_arch.bridges.converting import convert
from semanir_arch.commands.train import main
from semanir_arch.data.files.image_io import write_image
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.utils.checkpoint import load_checkpoint
from semanir_arch.utils.options import to_yaml
from tests.bridges.foreign_files import SWINIR, build_basicsr
from tests.helpers import TINY_UNET, make_image
from tests.small_runs import TRAIN

DENOISER = SWINIR | {"upscale": 1, "upsampler": "", "img_size": 8}


@pytest.mark.parametrize(
    ("model", "block"),
    [("SRModel", TINY_UNET), ("SRModel", DENOISER), ("SwinIRModel", DENOISER),
     ("RestorationModel", DENOISER)],
)  # fmt: skip
def test_the_file_of_a_training_restores(work, model, block):
    if block is DENOISER:
        pytest.importorskip("spandrel", reason="the extra spandrel is not installed")
    # its windows: neither BasicSR's network nor its SRModel pads
    val = TRAIN["val"] | {"size_multiple": 8}
    if model != "RestorationModel":
        val = {"val_freq": 100, "save_img": False}
        write_image(work / "images" / "a.png", make_image((16, 24, 3)))
        write_image(work / "images" / "b.png", make_image((16, 24, 3)))
    train = TRAIN["train"] | {"total_iter": 1, "ema_decay": 0.9}
    options = TRAIN | {"model_type": model, "network_g": block, "val": val, "train": train}
    (work / "train.yml").write_text("_base_: [none.yml]\n" + to_yaml(options))
    host.load("basicsr.utils.logger").initialized_logger.clear()
    assert main(["-opt", "train.yml"]) == 0
    path = work / "experiments" / "run" / "models" / "net_g_latest.pth"
    assert load_checkpoint(path).network == block
    image = make_image((16, 24, 3))
    restored = Restorer(path, device="cpu").restore(image)
    if block is DENOISER:
        network = build_basicsr(block)
        network.load_state_dict(load_checkpoint(path).params)
        x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            wanted = network(x)[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255
        assert np.abs(restored - wanted).max() <= 0.5 + 1e-3
    convert(path, work / "net.safetensors")
    again = Restorer(work / "net.safetensors", device="cpu").restore(image)
    np.testing.assert_array_equal(again, restored)
