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


PAIRS = """
datasets:
  val:
    type: PairedImageDataset
    dataroot_gt: gt
    dataroot_lq: lq
"""


@pytest.mark.parametrize(
    ("more", "files", "key", "said"),
    [
        (
            "",
            ("gt/a.png", "gt/b.png", "lq/a.png"),
            "dataroot_lq",
            "1 files in 'lq' and 2 in 'gt' do not pair; 1 targets without an input: "
            "b.png (looked for b.png)",
        ),
        (
            "    filename_tmpl: '{}x2'\n",
            ("gt/a.png", "gt/b.png", "lq/ax2.png", "lq/b.png"),
            "dataroot_lq",
            "1 targets without an input: b.png (looked for bx2.png); "
            "1 inputs without a target: b.png",
        ),
        ("", ("gt/a.png", "lq/a.jpg"), "dataroot_lq", "1 inputs without a target: a.jpg"),
        (
            "    meta_info_file: list.txt\n",
            ("gt/a.png", "lq/a.png", "gt/b.png"),
            "meta_info_file",
            "list.txt names 1 files that are not there: lq/b.png",
        ),
        (
            "    io_backend: {type: lmdb}\n",
            ("gt/a.png", "lq/a.png"),
            "dataroot_lq",
            "'lq' is not an LMDB (io_backend: lmdb); its name must end in .lmdb",
        ),
    ],
)
def test_folders_that_basicsr_cannot_pair_are_told_before_anything_is_built(
    write, more, files, key, said
):
    for name in files:
        write(name, "")
    write("list.txt", "a.png (10,10,3)\nb.png (10,10,3)\n")
    with pytest.raises(OptionError) as error:
        check_files(options(write, PAIRS + more))
    (problem,) = map(str, error.value.problems)
    assert f": datasets:val:{key}: " in problem
    assert said in problem
    assert "\n" not in problem


def test_databases_of_different_names_are_told(write):
    write("gt.lmdb/meta_info.txt", "a.png (10,10,3) 1\nb.png (10,10,3) 1\n")
    write("lq.lmdb/meta_info.txt", "a.png (10,10,3) 1\n")
    text = PAIRS.replace("gt\n", "gt.lmdb\n").replace("lq\n", "lq.lmdb\n")
    with pytest.raises(OptionError, match=r"1 names are in only one of .*: b$"):
        check_files(options(write, f"{text}    io_backend: {{type: lmdb}}\n"))


def test_folders_that_basicsr_pairs_pass(write):
    for name in ("gt/a.png", "lq/ax4.png", "lq/.hidden", "lq/below/b.png"):
        write(name, "")
    check_files(options(write, PAIRS + "    filename_tmpl: '{}x4'\n"))
    # our own classes have rules of their own
    check_files(options(write, PAIRS.replace("PairedImageDataset", "PairedRestorationDataset")))
