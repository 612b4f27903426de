"""From photographs to shipped weights by the command itself, in seconds."""

from __future__ import annotations

import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from semanir_arch import host
from semanir_arch.bridges.converting import convert
from semanir_arch.commands.weights import main
from semanir_arch.data.files.image_io import write_image
from semanir_arch.shipping import pacing, training
from semanir_arch.shipping.choosing import is_better
from semanir_arch.shipping.packed_crops import Pack, pack
from semanir_arch.shipping.publishing import read_log, write_record
from semanir_arch.utils.tensor_file import read_tensors
from semanir_arch.weights import available, find
from semanir_arch.weights.catalogue import BFLOAT16_COST
from tests.helpers import ROOT, TINY_UNET, make_image, save_weights

SMALL = [
    *(f"network_g:{k}={json.dumps(v)}" for k, v in TINY_UNET.items()),
    "datasets:train:patch_size=16",
    "datasets:train:batch_size_per_gpu=1",
    "logger:use_tb_logger=false",
]


def photograph(side, seed):
    """Smooth colors, so that noise can be told from them."""
    small = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(small, size=(side, side), mode="bicubic")
    return (255 * large.clamp(0, 1)[0].permute(1, 2, 0)).round().byte().numpy()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Working folder with option files, training photographs, and a folder for shipped files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})
    monkeypatch.setattr(pacing, "SHARES", (0.3, 0.7))
    (tmp_path / "options").symlink_to(ROOT / "options")
    (tmp_path / "shipped").mkdir()
    for folder, count in (("CID22/training", 2), ("BSDS400", 1), ("CID22/validation", 1)):
        for number in range(count):
            path = tmp_path / "datasets" / "train" / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, photograph(208, seed=number))
    return tmp_path


def train(seconds, *overrides, start=()):
    command = ["--folder", "shipped", "train", "denoise", "--minutes", str(seconds / 60)]
    command += ["--device", "cpu", *start, "--force_yml", *SMALL, *overrides]
    return main(command)


def test_the_command_packs_trains_ships_and_never_worsens(checkout, capsys):
    began, worked = time.monotonic(), time.process_time()
    assert train(4) == 0
    # a machine that became faster may leave a little of the time
    least = 4 * (1 - pacing._GOOD_ENOUGH)
    assert time.monotonic() - began > least
    # packing and both validations included; other programs may take the machine
    assert time.process_time() - worked < 40
    shipped = find("denoise", Path("shipped"))
    params, content = read_tensors(shipped.path)
    assert {value.dtype for value in params.values()} == {torch.float16}
    assert content["network_g"]["widths"] == TINY_UNET["widths"]
    record = shipped.record
    trained = record["training"]
    assert trained["iterations"] > 0
    assert trained["data"]["images"] == 3
    assert trained["started_from"] is None
    # the last iteration and both validations may take long beside other programs
    assert round(least / 60, 1) <= trained["minutes"] < 5
    assert record["validation"].keys() == {"CID22_15", "CID22_25", "CID22_50"}
    assert shipped.parameters == sum(value.numel() for value in params.values())
    assert content["metadata"]["training"] == trained

    # what bfloat16 costs is a measurement, which a command repeats
    cost = record[BFLOAT16_COST]
    assert cost.keys() == record["validation"].keys()
    write_record(Path("shipped"), shipped.task, {**_without_task(record), BFLOAT16_COST: {}})
    assert main(["--folder", "shipped", "precision", "denoise"]) == 0
    assert find("denoise", Path("shipped")).record == record
    assert f"CID22_25: bfloat16 costs {cost['CID22_25']:.4f} dB" in capsys.readouterr().out

    # a training that can only do harm
    kept = shipped.path.read_bytes()
    assert train(1, "train:optim_g:lr=3", "train:optim_g:adam_lr=3") == 0
    assert "Not better than the shipped weights" in capsys.readouterr().out
    assert shipped.path.read_bytes() == kept
    note = json.loads(Path("experiments/shipped_denoise/attempt.json").read_text())
    assert note["started_from"].startswith("denoise.safetensors (")

    assert main(["--folder", "shipped", "list"]) == 0
    assert "denoise: Color denoising" in capsys.readouterr().out


def _without_task(record):
    return {key: value for key, value in record.items() if key != "task"}


def test_an_interrupted_training_is_continued(checkout, monkeypatch, capsys):
    def interrupted(segment, seconds):
        clock = pacing.Clock(time.monotonic() + seconds)
        segment(10**6, clock)
        return pacing.Paced(clock.done, seconds, signal.SIGINT)

    monkeypatch.setattr(training, "run_paced", interrupted)
    assert train(1) == 130
    assert "un the same command again to continue" in capsys.readouterr().err
    note = json.loads(Path("experiments/shipped_denoise/attempt.json").read_text())
    assert not note["is_finished"]
    assert not available(Path("shipped"))

    monkeypatch.setattr(training, "run_paced", pacing.run_paced)
    assert train(2) == 0
    record = find("denoise", Path("shipped")).record["training"]
    assert record["iterations"] > note["iterations"]


def test_scores_are_those_of_test_py(checkout, capsys):
    options = {**TINY_UNET, "in_chans": 3}
    save_weights(Path("identity.pth"), options, identity=True)
    convert(Path("identity.pth"), Path("shipped/denoise.safetensors"))
    Path("datasets/test/CBSD68").mkdir(parents=True)
    picture = photograph(96, seed=5)
    write_image(Path("datasets/test/CBSD68/a.png"), picture)
    trained = {"minutes": 1, "hardware": "a computer", "iterations": 1}
    record = {"network": options, "parameters": 1, "training": trained}
    Path("shipped/denoise.json").write_text(json.dumps(record))
    assert main(["--folder", "shipped", "score", "denoise"]) == 0
    found = find("denoise", Path("shipped"))
    for score, sigma in zip(found.scores, (15, 25, 50), strict=True):
        assert (score.dataset, score.level) == ("CBSD68", f"sigma {sigma}")
        # this network changes nothing, and the protocol clips and rounds
        noise = np.random.default_rng(0).normal(0, sigma, picture.shape)
        error = np.clip(np.round(picture + noise), 0, 255) - picture
        expected = 20 * math.log10(255 / math.sqrt((error**2).mean()))
        assert score.psnr_input == pytest.approx(expected, abs=0.1)
        assert score.psnr == pytest.approx(score.psnr_input, abs=0.01)
    assert found.record["training"] == trained
    assert "--weights semanir_arch/weights/denoise.safetensors" in found.record["scored"]["command"]
    assert f"CBSD68 sigma 15: {found.scores[0].psnr:.2f} dB" in capsys.readouterr().out


def test_better_means_the_mean_over_all_sets():
    assert is_better({"a": 30.0, "b": 20.0}, {"a": 31.0, "b": 18.0})
    assert not is_better({"a": 30.0}, {"a": 30.0})
    with pytest.raises(ValueError, match="cannot be compared"):
        is_better({"a": 30.0}, {"b": 30.0})
    # a clean picture that comes out at 52 dB is no better than one at 46
    assert is_better({"noisy": 36.1, "clean": 46}, {"noisy": 36.0, "clean": 52})
    assert not is_better({"noisy": 36.1, "clean": 44}, {"noisy": 36.0, "clean": 52})


def test_a_log_of_several_sittings_is_read_as_one(tmp_path):
    line = (
        "[x][epoch:  0, iter:  {}, lr:({},)] [eta: 0:10, time (data): 0.1 (0.0)] l_pix: {} g: 1\n"
    )
    (tmp_path / "train_a_1.log").write_text(
        line.format("1,950", "2.000e-03", "3.0e-02") + line.format("2,000", "1.9e-03", "9.0e-02")
    )
    # two groups of weights, each with its rate: the first is kept
    (tmp_path / "train_a_2.log").write_text(line.format("2,000", "1.8e-03,1.0e-04", "2.5e-02"))
    assert read_log(tmp_path) == [
        "iteration 1950: lr 2.000e-03, loss 3.0e-02",
        "iteration 2000: lr 1.8e-03, loss 2.5e-02",
    ]


def test_packing_is_reproducible_and_leaves_out_what_is_too_small(checkout):
    write_image(Path("datasets/train/BSDS400/small.png"), make_image((20, 300, 3)))
    packs = (Pack("train", ("datasets/train/BSDS400",), 64),)
    pack(Path("one"), packs)
    pack(Path("two"), packs)
    first, second = (Path(name, "train.lmdb", "data.mdb").read_bytes() for name in ("one", "two"))
    assert first == second
    lines = Path("one/train.lmdb/meta_info.txt").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["(64,64,3)"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "denose"], "did you mean 'denoise'?"),
        (["score", "denoise"], "no weights are shipped for task 'denoise'"),
        (["publish", "denoise"], "no finished training"),
        (["train", "denoise", "--minutes", "0"], "must be positive"),
    ],
    ids=["unknown task", "nothing to score", "nothing to publish", "no time"],
)
def test_what_cannot_be_done_is_said_in_one_line(checkout, capsys, command, message):
    assert main(["--folder", "shipped", *command]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_photographs_that_are_missing_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["pack"]) == 2
    assert "datasets/train/CID22/training" in capsys.readouterr().err
