"""One rule for tiles; all that restores images follows it."""

from __future__ import annotations

import numpy as np

from semanir_arch.commands.restore import main as restore
from semanir_arch.commands.test import main as measure
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.utils.options import to_yaml
from semanir_arch.utils.tile_policy import WHOLE_PIXELS, attempts, count_pixels, make_tiling
from tests.each import each
from tests.helpers import TINY_SR, TINY_UNET, make_image, save_weights
from tests.small_runs import forget_the_log


def sides(*arguments, **keywords):
    return [way.tile if way else None for way in attempts(*arguments, **keywords)]


def test_up_to_a_megapixel_an_image_is_first_tried_whole():
    assert sides((1024, 1024), "auto") == [None, 512, 256, 128]
    assert sides((1024, 1025), "auto") == [512, 256, 128]
    assert sides((200, 100), "auto") == [None, 128]


def test_what_is_asked_for_is_done():
    assert sides((5000, 5000), None) == [None]
    assert sides((5000, 5000), 300) == [300]
    assert sides((300, 200), 300) == [None]


def test_padding_counts():
    # 60,000 x 1 pixels are 60,032 x 64 for a network that works on multiples of 64
    assert sides((60_000, 1), "auto", multiple=64)[0] == 512
    assert sides((60_000, 1), "auto")[0] is None
    assert count_pixels(None, (60_000, 1), 64) == 60_032 * 64 > WHOLE_PIXELS
    assert count_pixels(make_tiling(512, None), (60_000, 1), 64) == 512 * 64


def test_tiles_share_no_less_than_is_needed():
    assert make_tiling(32, None).overlap == 8
    tiling = make_tiling(32, 4, least=24)
    assert (tiling.tile, tiling.overlap) == (48, 24)


@each("network,tile", [(TINY_UNET, "auto"), (TINY_UNET, "24"), (TINY_SR, "24")])
def test_a_test_and_semanir_restore_write_the_same_pixels(tmp_path, monkeypatch, network, tile):
    monkeypatch.chdir(tmp_path)
    forget_the_log()
    scale = network.get("upscale", 1)
    write_image(tmp_path / "images" / "a.png", make_image((41, 67, 3)))
    write_image(tmp_path / "truth" / "a.png", make_image((41 * scale, 67 * scale, 3)))
    save_weights(tmp_path / "net.pth", network)
    options = {
        "name": "same",
        "model_type": "RestorationModel",
        "num_gpu": 0,
        "datasets": {
            "test": {
                "name": "set",
                "type": "PairedRestorationDataset",
                "dataroot_lq": "images",
                "dataroot_gt": "truth",
            }
        },
        "scale": scale,
        "network_g": network,
        "path": {"pretrain_network_g": "net.pth"},
        "val": {
            "save_img": True,
            "suffix": None,
            "protocol": "denoise_rgb" if scale == 1 else "sr_y",
            "tile": tile if tile == "auto" else int(tile),
        },
    }
    (tmp_path / "same.yml").write_text(to_yaml(options))
    assert measure(["-opt", "same.yml"]) == 0
    words = ("images/a.png", "-o", "out", "--weights", "net.pth", "--device", "cpu")
    words = (*words, "--precision", "fp32", "--tile", tile, "--margin", "0")
    assert restore(words) == 0
    (tested,) = tmp_path.glob("results/same/visualization/**/*.png")
    restored = load_image(tmp_path / "out" / "a.png").pixels
    np.testing.assert_array_equal(load_image(tested).pixels, restored)
