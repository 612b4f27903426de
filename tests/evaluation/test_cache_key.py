"""Scores with one cache key are interchangeable: whatever decides about them makes another."""

from __future__ import annotations

import copy
import os

import pytest

from semanir_arch.evaluation import cache_key
from semanir_arch.evaluation.cache_key import make_cache_key
from tests.each import each

OPTIONS = {
    "name": "run",
    "model_type": "RestorationModel",
    "num_gpu": 0,
    "manual_seed": 1,
    "network_g": {"type": "SemanIR", "k": 8},
    "path": {"pretrain_network_g": "net.pth", "param_key_g": "params", "resume_state": None},
    "val": {"protocol": "sr_y", "save_img": True, "suffix": None, "tile": None},
    "datasets": {"test": {"name": "other"}},
}


@pytest.fixture
def block(tmp_path):
    for name in ("gt/a.png", "gt/deep/b.png", "lq/a.png", "list.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return {
        "name": "a",
        "type": "T",
        "dataroot_gt": [str(tmp_path / "gt"), str(tmp_path / "lq")],
        "meta_info_file": str(tmp_path / "list.txt"),
    }


def changed(options, *path, value):
    options = copy.deepcopy(options)
    part = options
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return options


@each(
    "path, value",
    [
        (("network_g", "k"), 4),
        (("val", "tile"), 64),
        (("val", "protocol"), "sr_y_semanir"),
        (("path", "param_key_g"), "params_ema"),
        (("model_type",), "SRModel"),
        (("scale",), 2),
        (("manual_seed",), 2),
        (("something_foreign",), 1),
    ],
)
def test_options_that_may_change_scores_make_another(block, path, value):
    assert make_cache_key(changed(OPTIONS, *path, value=value), block, "aa") != make_cache_key(
        OPTIONS, block, "aa"
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), "another"),
        (("val", "save_img"), False),
        (("val", "suffix"), "x"),
        (("path", "pretrain_network_g"), "moved.pth"),
        (("path", "resume_state"), "x"),
        (("datasets",), {}),
        (("logger",), {"print_freq": 1}),
    ],
)
def test_options_that_cannot_do_not(block, path, value):
    assert make_cache_key(changed(OPTIONS, *path, value=value), block, "aa") == make_cache_key(
        OPTIONS, block, "aa"
    )


def test_other_weights_make_another(block):
    assert len({make_cache_key(OPTIONS, block, digest) for digest in ("aa", "bb", None)}) == 3


@pytest.mark.parametrize("name", ["gt/a.png", "gt/deep/b.png", "lq/a.png", "list.txt"])
def test_changed_files_make_another(block, tmp_path, name):
    before = make_cache_key(OPTIONS, block, "aa")
    facts = (tmp_path / name).stat()
    (tmp_path / name).write_text(name.upper())
    os.utime(tmp_path / name, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert make_cache_key(OPTIONS, block, "aa") != before


def test_added_renamed_and_removed_files_make_another(block, tmp_path):
    keys = {make_cache_key(OPTIONS, block, "aa")}
    (tmp_path / "gt" / "c.png").write_text("")
    keys.add(make_cache_key(OPTIONS, block, "aa"))
    (tmp_path / "gt" / "c.png").rename(tmp_path / "gt" / "d.png")
    keys.add(make_cache_key(OPTIONS, block, "aa"))
    (tmp_path / "gt" / "a.png").unlink()
    keys.add(make_cache_key(OPTIONS, block, "aa"))
    assert len(keys) == 4


def test_the_lock_of_a_database_that_was_read_does_not(block, tmp_path):
    before = make_cache_key(OPTIONS, block, "aa")
    (tmp_path / "gt" / "lock.mdb").write_text("")
    assert make_cache_key(OPTIONS, block, "aa") == before


def test_other_code_makes_another(block, monkeypatch):
    before = make_cache_key(OPTIONS, block, "aa")
    monkeypatch.setattr(cache_key, "_digest_code", lambda: "other")
    assert make_cache_key(OPTIONS, block, "aa") != before


def test_the_code_is_that_of_the_parts_that_compute():
    digest = cache_key._digest_code.__wrapped__
    parts = cache_key._PARTS
    assert digest() == digest()
    assert {"archs", "modules", "ops", "data", "metrics", "models"} <= set(parts)
