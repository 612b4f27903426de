"""Data folders and weights are looked for before anything is built."""

from __future__ import annotations

import pytest

from semanir_arch.utils.options import OptionError, check_files, resolve


def options(write, text):
    write("empty.yml", "{}")
    return resolve(write("x.yml", f"_base_: [empty.yml]\n{text}"))


def test_missing_and_empty_folders_are_told_together(write, tmp_path):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    write("full/below/a.png", "")
    text = "datasets:\n  train:\n    dataroot_gt: [full, empty]\n  val: {dataroot_lq: nowhere}\n"
    with pytest.raises(OptionError) as error:
        check_files(options(write, text))
    empty, missing = map(str, error.value.problems)
    assert empty == "x.yml:4: datasets:train:dataroot_gt: the folder 'empty' is empty"
    assert missing.startswith("x.yml:5: datasets:val:dataroot_lq: no such folder: 'nowhere'")


def test_missing_weights_suggest_what_is_there(write):
    write("models/net_g_latest.pth", "")
    text = "path: {pretrain_network_g: models/net_g_lastest.pth, param_key_g: params}"
    with pytest.raises(OptionError, match=r"did you mean 'net_g_latest\.pth'"):
        check_files(options(write, text))
    with pytest.raises(OptionError, match="has it run"):
        check_files(options(write, "path: {pretrain_network_g: gone/net_g_latest.pth}"))


def test_what_is_there_passes(write):
    write("a/x.png", "")
    write("w.pth", "")
    text = (
        "datasets: {val: {dataroot_gt: a}}\npath: {pretrain_network_g: w.pth, resume_state: null}"
    )
    check_files(options(write, text))
