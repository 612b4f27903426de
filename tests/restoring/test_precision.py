"""Which precision "auto" takes, and that it says so."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from semanir_arch.restoring import precision
from semanir_arch.restoring.precision import bfloat16_is_fast, choose_precision
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.utils.checkpoint import Checkpoint
from semanir_arch.weights import available
from semanir_arch.weights.catalogue import BFLOAT16_COST
from tests.each import each
from tests.helpers import make_image

CPU = torch.device("cpu")


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: True)


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: False)


def checkpoint(**metadata):
    return Checkpoint({}, None, metadata)


def costing(*costs):
    return checkpoint(**{BFLOAT16_COST: {str(n): cost for n, cost in enumerate(costs)}})


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (costing(0.001, 0.02), "bf16"),
        (costing(-0.5, 0.019), "bf16"),
        (costing(0.001, 0.021), "fp32"),
        (costing(), "fp32"),
        (checkpoint(), "fp32"),
        (checkpoint(**{BFLOAT16_COST: "little"}), "fp32"),
        (checkpoint(**{BFLOAT16_COST: {"a": None}}), "fp32"),
    ],
)
def test_auto_takes_bfloat16_where_the_record_says_that_it_is_as_good(fast, entry, expected):
    assert choose_precision("auto", CPU, entry) == expected
    assert choose_precision("fp32", CPU, entry) == "fp32"
    assert choose_precision("bf16", CPU, entry) == "bf16"


def test_auto_takes_float32_where_bfloat16_would_be_imitated(slow):
    assert choose_precision("auto", CPU, costing(0.0)) == "fp32"
    assert choose_precision("bf16", CPU, costing(0.0)) == "bf16"


def test_a_record_beside_the_weights_counts_and_a_damaged_one_does_not(fast, tmp_path):
    entry = Checkpoint({}, None, {}, tmp_path / "mine.safetensors")
    assert choose_precision("auto", CPU, entry) == "fp32"
    (tmp_path / "mine.json").write_text(json.dumps({BFLOAT16_COST: {"a": 0.01}}))
    assert choose_precision("auto", CPU, entry) == "bf16"
    (tmp_path / "mine.json").write_text("{")
    assert choose_precision("auto", CPU, entry) == "fp32"


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True, "avx512_bf16": False}, True),
        ({"bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False}, False),
    ],
)
def test_instructions_decide_not_the_clock(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert bfloat16_is_fast(CPU) is expected


def test_an_older_torch_is_asked_in_its_own_way(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert bfloat16_is_fast(CPU)
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not bfloat16_is_fast(CPU)


def test_devices_without_such_instructions_compute_in_float32():
    assert not bfloat16_is_fast(torch.device("mps"))


@each("shipped", available)
def test_every_shipped_network_says_what_bfloat16_costs(shipped):
    costs = shipped.record[BFLOAT16_COST]
    assert costs.keys() == shipped.record["validation"].keys()
    assert all(abs(cost) < 0.5 for cost in costs.values())


def test_a_restorer_says_what_it_chose_and_computes_so(fast):
    image = make_image((16, 16, 3))
    results = {}
    for wanted in ("auto", "fp32", "bf16"):
        restorer = Restorer(task="denoise", device="cpu", precision=wanted)
        results[restorer.precision, wanted] = restorer.restore(image).astype(int)
    assert set(results) == {("bf16", "auto"), ("fp32", "fp32"), ("bf16", "bf16")}
    np.testing.assert_array_equal(results["bf16", "auto"], results["bf16", "bf16"])
    assert np.abs(results["bf16", "auto"] - results["fp32", "fp32"]).max() <= 3
