"""What a run on a GPU changes: one flag, and nothing that says otherwise."""

from __future__ import annotations

import copy
import importlib
import json
from dataclasses import replace

import pytest
import torch

from semanir_arch.ops import backend, key_semantic_dictionary
from semanir_arch.ops.attention import fused
from semanir_arch.ops.backend import ATTENTION_BACKENDS, KERNELS_PROVEN, Request, choose
from semanir_arch.ops.dictionary import fused as fused_dictionary
from tests.helpers import ROOT


@pytest.fixture(scope="module")
def load():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module


@pytest.fixture(scope="module")
def adoption(load):
    return load("gpu_adopt")


def request(**changes) -> Request:
    values = {"device": "cuda", "dtype": torch.bfloat16, "num_tokens": 1024, "head_dim": 30}
    return Request(**(values | {"k": 512, "masked": True} | changes))


def row(tokens, direction, name, ms):
    return ["bfloat16", str(tokens), "64", "32", "64", "no", direction, name, ms, "1", "", "", ""]


@pytest.fixture
def good():
    """Record of a run against which nothing speaks."""
    directions = {"forward": "forward", "backward": "forward and backward"}
    times = {
        step: {
            "rows": [
                row(tokens, direction, name, ms)
                for tokens in range(6)
                for name, ms in (("dense", "1.0"), ("triton", "1.2"), ("masked", "3.0"))
            ]
        }
        for step, direction in directions.items()
    }
    steps = {
        "machine": {"machine": {"gpu": "G"}},
        "tests": {"tests": {"a": "passed", "b": "failed"}, "chosen": 3},
        "other tests": {"tests": {"b": "passed", "c": "passed"}},
        "bias gradient": {"status": "passed"},
        "dictionary": {
            "rows": [["64", "its dictionary", "0.1"], ["64", "dictionary, plain torch", "0.3"]]
        },
    }
    return {"rehearsal": False, "date": "2026-12-01", "steps": steps | times}


def spoil(record, change):
    record = copy.deepcopy(record)
    change(record, record["steps"])
    return record


SPOILT = {
    "not run on a GPU": lambda r, s: r.update(rehearsal=True),
    "this was not run on a GPU": lambda r, s: s["machine"]["machine"].update(gpu=None),
    "tests: 2 of 3 passed": lambda r, s: s["other tests"]["tests"].pop("c"),
    "c: failed": lambda r, s: s["other tests"]["tests"].update(c="failed"),
    "tests: 0 of 0 passed": lambda r, s: (s.pop("tests"), s.pop("other tests")),
    "gradient of the bias: killed": lambda r, s: s["bias gradient"].update(status="killed"),
    "gradient of the bias: not run": lambda r, s: s.pop("bias gradient"),
    "times, forward: 0 cases in 16 bits": lambda r, s: s.pop("forward"),
    "triton off by 1e-1": lambda r, s: s["forward"]["rows"][1].__setitem__(8, "off by 1e-1"),
    "triton 4.0 ms, masked 3.0 ms": lambda r, s: s["backward"]["rows"][4].__setitem__(8, "4.0"),
    "triton is missing": lambda r, s: s["backward"]["rows"].pop(1),
    "times of the dictionary are missing": lambda r, s: s.pop("dictionary"),
    "dictionary, k 64": lambda r, s: s["dictionary"]["rows"][0].__setitem__(2, "0.4"),
}


def test_whatever_speaks_against_the_kernels_is_a_doubt(load, good):
    find_doubts = load("gpu_report").find_doubts
    assert find_doubts(good) == []
    for words, change in SPOILT.items():
        doubts = find_doubts(spoil(good, change))
        assert any(words in doubt for doubt in doubts), (words, doubts)


def test_flag_readme_and_committed_records_say_the_same(adoption, load):
    readme = (ROOT / "README.md").read_text()
    assert adoption.read_flag(ROOT) == KERNELS_PROVEN
    assert readme.count(adoption.SENTENCES[KERNELS_PROVEN]) == 1
    assert adoption.SENTENCES[not KERNELS_PROVEN] not in readme
    records = [
        json.loads(file.read_text()) for file in (ROOT / adoption.RESULTS).glob("gpu_*.json")
    ]
    assert any(not load("gpu_report").find_doubts(r) for r in records) == KERNELS_PROVEN


@pytest.fixture
def checkout(adoption, tmp_path):
    """The files that may change, where the flag is not set, and a run with better weights."""
    root = tmp_path / "root"
    for path, texts in ((adoption.FLAG, adoption.FLAGS), (adoption.README, adoption.SENTENCES)):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / path).read_text().replace(texts[True], texts[False]))
    (root / adoption.WEIGHTS).mkdir()
    run = tmp_path / "run"
    run.mkdir()
    (run / "gpu_hour.md").write_text("report")
    for name in ("denoise.safetensors", "denoise.json", "SemanIR_light_x2.safetensors"):
        (run / name).write_text(name)
    return root, run


def write_record(run, record):
    (run / "gpu_hour.json").write_text(json.dumps(record))


def test_a_good_run_sets_the_flag_and_the_sentence_and_brings_its_weights(adoption, checkout, good):
    root, run = checkout
    write_record(run, good)
    assert adoption.read_flag(root) is False
    done = adoption.adopt(run, root)
    assert adoption.read_flag(root) is True
    readme = (root / "README.md").read_text()
    assert adoption.SENTENCES[True] in readme
    assert adoption.SENTENCES[False] not in readme
    assert json.loads((root / "benchmarks/results/gpu_2026-12-01.json").read_text()) == good
    assert [p.name for p in sorted((root / adoption.WEIGHTS).iterdir())] == [
        "denoise.json",
        "denoise.safetensors",
    ]
    assert not any("not switched on" in line for line in done)
    # once more changes nothing
    adoption.adopt(run, root)
    assert (root / "README.md").read_text() == readme


def test_a_doubtful_run_keeps_the_flag_and_says_why(adoption, checkout, good):
    root, run = checkout
    write_record(run, spoil(good, SPOILT["c: failed"]))
    done = adoption.adopt(run, root)
    assert adoption.read_flag(root) is False
    assert adoption.SENTENCES[False] in (root / "README.md").read_text()
    assert "not switched on: c: failed" in done
    assert (root / "benchmarks/results/gpu_2026-12-01.md").is_file()


def test_a_rehearsal_or_another_readme_changes_nothing(adoption, checkout, good):
    root, run = checkout
    write_record(run, good | {"rehearsal": True})
    with pytest.raises(ValueError, match="shows nothing about a GPU"):
        adoption.adopt(run, root)
    write_record(run, good)
    (root / "README.md").write_text("other words")
    with pytest.raises(ValueError, match=r"README\.md: this must be there once: PyTorch's"):
        adoption.adopt(run, root)
    assert adoption.read_flag(root) is False
    assert not (root / "benchmarks").exists()


def test_the_flag_decides_whether_the_kernels_volunteer(monkeypatch):
    assert fused.BACKEND.preferred is (fused.volunteers if KERNELS_PROVEN else backend.never)
    proven = replace(
        fused.BACKEND, preferred=fused.volunteers, why_not=backend.no_objection, name="triton"
    )
    backends = ATTENTION_BACKENDS | {"triton": proven}
    assert choose(request(), backends=backends).name == "triton"
    assert choose(request(dtype=torch.float16), backends=backends).name == "triton"
    assert choose(request(masked=False, k=1024), backends=backends).name == "dense"
    for changes in ({"dtype": torch.float32}, {"device": "cpu"}):
        assert choose(request(**changes), backends=backends).name != "triton"
    monkeypatch.setattr(backend._Withheld, "names", frozenset({"triton"}))
    assert choose(request(), backends=backends).name == "masked"


def test_the_dictionary_follows_the_flag(monkeypatch):
    monkeypatch.setattr(fused_dictionary, "why_no_triton", lambda device: None)
    volunteers = fused_dictionary.volunteers
    assert volunteers("cuda", 1024) == KERNELS_PROVEN
    assert volunteers("cuda", 1024, proven=True)
    assert not volunteers("cuda", 1024, proven=False)
    assert not volunteers("cpu", 1024, proven=True)
    assert not volunteers("cuda", 2**20, proven=True)
    # a run that began without the kernels goes on without them
    monkeypatch.setattr(backend._Withheld, "names", frozenset({"triton"}))
    assert not volunteers("cuda", 1024, proven=True)


def test_the_dictionary_takes_the_kernels_where_they_volunteer(monkeypatch):
    x = torch.randn(1, 40, 6)
    expected = key_semantic_dictionary(x, 7).bits
    taken = []

    def select(*arguments):
        taken.append(arguments)
        return expected

    monkeypatch.setattr(fused_dictionary, "volunteers", lambda device, num_tokens: True)
    monkeypatch.setattr(fused_dictionary, "why_not", lambda device, num_tokens: None)
    monkeypatch.setattr(fused_dictionary, "select_bits", select)
    assert key_semantic_dictionary(x, 7).bits is expected
    assert len(taken) == 1
    key_semantic_dictionary(x, 7, backend="masked")
    assert len(taken) == 1
