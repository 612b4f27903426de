from __future__ import annotations

import json

import pytest

from semanir_arch.commands import restore as cli
from semanir_arch.restoring.listing import list_scores, list_tasks
from semanir_arch.tasks import NETWORK_TASKS, get_task, suggest_task
from tests.each import each


def test_every_task_is_listed_also_where_nothing_is_shipped(tmp_path):
    text = list_scores(tmp_path)
    for task in NETWORK_TASKS.values():
        assert f"\n{task.name} " in f"\n{text}"
        assert task.title in text
        assert task.input in text
    assert text.count("weights: none shipped") == len(NETWORK_TASKS)
    assert f"0 of {len(NETWORK_TASKS)} tasks have weights" in text
    assert "python -m semanir_arch.weights train TASK" in text


def test_weights_are_listed_with_size_scores_and_origin(tmp_path):
    score = {"dataset": "CBSD68", "protocol": "denoise_rgb", "psnr": 31.239, "ssim": 0.8831}
    scores = [
        score | {"level": "sigma 25", "psnr_input": 20.17},
        score | {"level": "", "psnr_input": None},
    ]
    training = {"minutes": 90.4, "hardware": "two CPU cores", "iterations": 12345}
    record = {"parameters": 654321, "scores": scores, "training": training}
    (tmp_path / "denoise.json").write_text(json.dumps(record))
    (tmp_path / "denoise.safetensors").write_bytes(bytes(1_400_000))
    text = list_scores(tmp_path)
    assert "denoise.safetensors (654,321 parameters, 1.3 MB)" in text
    assert "90 minutes on two CPU cores, 12,345 iterations" in text
    assert "CBSD68, sigma 25: 31.24 dB, SSIM 0.8831 (input 20.17 dB), protocol" in text
    assert "CBSD68: 31.24 dB, SSIM 0.8831, protocol" in text
    assert f"1 of {len(NETWORK_TASKS)} tasks" in text


def test_the_command_prints_the_list(capsys):
    assert cli.main(["--list"]) == 0
    assert capsys.readouterr().out == list_tasks() + "\n"
    assert cli.main(["--list", "--scores"]) == 0
    assert capsys.readouterr().out == list_scores() + "\n"


def test_the_list_fits_one_screen_and_has_plain_words():
    lines = list_tasks().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    for name, word in {"denoise": "grainy", "jpeg": "blocky", "sr_x2": "too small"}.items():
        assert any(line.startswith(f"{name} ") and word in line for line in lines)


@each(
    "word, task",
    [
        *[("upscale", "photo_x2"), ("denoising", "denoise"), ("shaken", "deblur")],
        *[("unblur", "deblur"), ("Grainy", "denoise"), ("low-light", "lowlight")],
        *[("denois", "denoise"), ("super resolution", "sr_x2"), ("autmatic", "auto")],
    ],
)
def test_the_right_word_is_suggested(word, task):
    with pytest.raises(ValueError, match=f"did you mean '{task}'"):
        get_task(word)
    assert suggest_task("qqqq", NETWORK_TASKS) is None
