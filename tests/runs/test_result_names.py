"""Results of equal names never replace each other, and no score stands under another's heading."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from semanir_arch.commands.test import main
from semanir_arch.commands.train import main as train
from semanir_arch.data.files.image_io import read_image, write_image
from semanir_arch.metrics import PROTOCOLS
from semanir_arch.models.naturalness import semanir_niqe
from semanir_arch.utils.options import to_yaml
from tests.helpers import TINY_UNET, make_image, save_weights
from tests.small_runs import DATASET, TEST, TRAIN


@pytest.fixture
def weights(work):
    """A network that returns its input."""
    path = work / "experiments" / "run" / "models" / "net_g_latest.pth"
    path.parent.mkdir(parents=True)
    save_weights(path, TINY_UNET, identity=True)
    return path


def run(leaf, *arguments):
    Path("leaf.yml").write_text("_base_: [none.yml]\n" + to_yaml(leaf))
    return main(["-opt", "leaf.yml", *arguments])


def report():
    return json.loads(Path("results/run/report.json").read_text())


def scenes(work, *names):
    """Images that are all different, below `scenes`."""
    for seed, name in enumerate(names):
        write_image(work / "scenes" / name, make_image((16, 16, 3), seed=seed))


def written(work):
    folder = work / "results/run/visualization"
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.png")}


def test_images_of_scenes_and_of_several_roots_are_all_written(work, weights):
    names = [f"s{scene}/{frame}.png" for scene in (1, 2) for frame in (1, 2)]
    scenes(work, *(f"{root}/lq/{name}" for root in "AB" for name in names))
    roots = [f"scenes/{root}/lq" for root in "AB"]
    pairs = {"type": "PairedRestorationDataset", "dataroot_lq": roots, "dataroot_gt": roots}
    leaf = TEST | {"datasets": {"test": {"name": "a", **pairs}}, "val": {"save_img": True}}
    assert run(leaf) == 0
    found = written(work)
    assert set(found) == {
        f"a/{root}/{name.removesuffix('.png')}_run.png" for root in "AB" for name in names
    }
    for root in "AB":
        for name in names:
            clean = read_image(work / "scenes" / root / "lq" / name)
            result = read_image(found[f"a/{root}/{name.removesuffix('.png')}_run.png"])
            np.testing.assert_array_equal(result, clean)
    assert [row["image"] for row in report()["datasets"][0]["images"]] == [
        f"{root}/{name.removesuffix('.png')}" for root in "AB" for name in names
    ]


def test_a_clash_is_refused_before_anything_is_restored(work, weights, capsys):
    scenes(work, "a.png", "a.bmp")
    leaf = TEST | {"datasets": {"test": DATASET | {"dataroot_gt": "scenes"}}}
    assert run(leaf) == 2
    assert "data set a: several images are called a, so that" in capsys.readouterr().err
    (work / "scenes" / "a.bmp").rename(work / "scenes" / "A.bmp")
    assert run(leaf) == 2
    assert "data set a: several images are called A or a, so that" in capsys.readouterr().err
    assert not list((work / "results").rglob("records*"))


def test_models_of_basicsr_do_not_replace_their_own_images(work, weights, capsys):
    scenes(work, "s1/a.png", "s2/a.png")
    leaf = TEST | {
        "model_type": "SRModel",
        "datasets": {"test": DATASET | {"dataroot_gt": "scenes"}},
        "val": {"save_img": True, "suffix": None},
    }
    assert run(leaf) == 2
    assert "SRModel writes every image by its file name alone" in capsys.readouterr().err
    assert run(leaf, "--force_yml", "val:save_img=false") == 0


def test_two_validation_sets_over_the_same_names_keep_their_images(work):
    leaf = TRAIN | {
        "datasets": TRAIN["datasets"] | {"val_2": DATASET | {"name": "b", "sigma": 5}},
        "val": {"val_freq": 4, "save_img": True, "protocol": "denoise_rgb"},
    }
    (work / "train.yml").write_text("_base_: [none.yml]\n" + to_yaml(leaf))
    assert train(["-opt", "train.yml"]) == 0
    folder = work / "experiments/run/visualization"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")} == {
        f"{name}/{image}/{image}_4.png" for name in "ab" for image in "ab"
    }


@pytest.mark.parametrize("name", ["a", "A"])
def test_two_validation_sets_of_one_name_are_refused(name, work, capsys):
    leaf = TRAIN | {"datasets": TRAIN["datasets"] | {"val_2": DATASET | {"name": name}}}
    (work / "train.yml").write_text("_base_: [none.yml]\n" + to_yaml(leaf))
    assert train(["-opt", "train.yml"]) == 2
    assert f"datasets:val_2:name: received {name!r}, which is the name of val as well" in (
        capsys.readouterr().err
    )


def test_settings_that_would_share_a_folder_are_refused(work, weights, capsys):
    assert run(TEST, "--sweep", "val:suffix=a b,A-b") == 2
    assert "would share the folder suffixA-b" in capsys.readouterr().err


def test_the_protocol_keeps_its_heading(work, weights, capsys):
    metrics = {
        "psnr": {"type": "calculate_psnr", "crop_border": 4, "test_y_channel": True},
        "SSIM": {"type": "semanir_ssim", "kind": "skimage"},
    }
    assert run(TEST) == 0
    alone = report()["datasets"][0]
    capsys.readouterr()
    assert run(TEST | {"val": TEST["val"] | {"metrics": metrics}}) == 0
    both = report()["datasets"][0]
    assert {name: both["mean"][name] for name in alone["mean"]} == alone["mean"]
    for with_metrics, without in zip(both["images"], alone["images"], strict=True):
        own = {name: with_metrics["output"][name] for name in without["output"]}
        assert own == without["output"]
    assert both["metrics"]["psnr_metrics"] == {"name": "psnr", **metrics["psnr"]}
    own, other = (
        capsys.readouterr()
        .out.split("a (protocol: denoise_rgb)")[1]
        .split("a (val:metrics, not of the protocol)")
    )
    assert f"{alone['mean']['PSNR out']:.2f}" in own
    assert "METRICS" not in own
    assert f"{both['mean']['PSNR_METRICS out']:.2f}" in other
    assert "SSIM_METRICS: semanir_ssim, kind skimage." in other
    assert abs(both["mean"]["PSNR_METRICS out"] - alone["mean"]["PSNR out"]) > 1


def test_the_best_of_the_protocol_is_not_the_best_of_another_score(work):
    metrics = {"psnr": {"type": "calculate_psnr", "crop_border": 0, "better": "lower"}}
    leaf = TRAIN | {
        "val": {"val_freq": 2, "protocol": "denoise_rgb", "metrics": metrics, "save_img": False},
        "logger": TRAIN["logger"] | {"keep_best": {"dataset": "a", "metric": "psnr"}},
    }
    (work / "train.yml").write_text("_base_: [none.yml]\n" + to_yaml(leaf))
    assert train(["-opt", "train.yml"]) == 0
    best = json.loads((work / "experiments/run/training_states/4.json").read_text())["best"]["a"]
    assert {name: entry["better"] for name, entry in best.items()} == {
        "psnr": "higher",
        "ssim": "higher",
        "psnr_metrics": "lower",
    }
    assert best["psnr"]["iter"] != best["psnr_metrics"]["iter"]


def test_images_without_target_get_the_scores_that_need_none(work, weights, capsys):
    photo = np.kron(make_image((25, 13, 3)), np.ones((8, 8, 1), np.uint8))
    write_image(work / "real" / "s" / "a.png", photo)
    real = {"name": "real", "type": "SingleImageDataset", "io_backend": {"type": "disk"}}
    (work / "list.txt").write_text("s/a.png\n")
    leaf = TEST | {
        "datasets": {"test": real | {"dataroot_lq": "real", "meta_info_file": "list.txt"}},
        "val": {
            "save_img": True,
            "protocol": "denoise_rgb",
            "metrics": {
                "niqe": {"type": "semanir_niqe"},
                "basic": {"type": "calculate_niqe", "crop_border": 0},
                "psnr": {"type": "calculate_psnr", "crop_border": 0},
            },
        },
    }
    assert run(leaf) == 0
    (data,) = report()["datasets"]
    expected = semanir_niqe(photo[..., ::-1])
    assert data["images"][0]["output"] == pytest.approx({"niqe": expected, "basic": expected})
    assert data["images"][0]["input"] == pytest.approx({"niqe": expected, "basic": expected})
    assert list(written(work)) == ["real/s/a_run.png"]
    told = (
        "real: 1 of 1 images have no target, so that protocol denoise_rgb, val:metrics:psnr are "
        "not measured on them."
    )
    assert told in capsys.readouterr().out
    assert told in (work / "results/run/report.md").read_text()


def test_random_weights_are_told_on_the_screen_and_in_the_report(work, weights, capsys):
    told = "The weights are random, because path:pretrain_network_g names no file"
    assert run(TEST) == 0
    assert told not in "".join(capsys.readouterr())
    assert run(TEST | {"path": {"pretrain_network_g": None}}) == 0
    assert told in capsys.readouterr().out
    for suffix in ("md", "html"):
        assert told in (work / f"results/run/report.{suffix}").read_text()


@pytest.mark.parametrize("by", ["strict_load_g", "fresh_g"])
def test_weights_that_are_partly_random_are_told(by, work, weights, capsys):
    if by == "fresh_g":
        path = TEST["path"] | {"fresh_g": ["last"]}
    else:
        state = torch.load(weights)
        state["params"].pop("last.bias")
        torch.save(state, weights)
        path = TEST["path"] | {"strict_load_g": False}
    assert run(TEST | {"path": path}) == 0
    count = 2 if by == "fresh_g" else 1
    assert f"{count} of " in capsys.readouterr().out.split(" weights are random")[0][-12:]


def test_every_protocol_has_names_that_results_can_tell_apart():
    names = {name for protocol in PROTOCOLS.values() for name in protocol.scores}
    assert len({name.lower() for name in names}) == len(names)
