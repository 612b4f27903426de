"""One run computes with one set of kernels, and says so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from semanir_arch.commands.test import main as run_test
from semanir_arch.commands.train import main as train
from semanir_arch.ops import backend
from semanir_arch.ops.attention import naive
from semanir_arch.ops.backend import ATTENTION_BACKENDS, Backend, Request, Variants, choose
from semanir_arch.runs.arithmetic import Arithmetic, agree, observe
from semanir_arch.training.states import read_manifest
from semanir_arch.utils import processes
from tests.helpers import TINY

OPTIONS = {"num_gpu": 0, "network_g": TINY["SemanIRUNet"]}
TYPICAL = Request("cpu", backend.torch.float32, num_tokens=4096, head_dim=30, k=8, masked=True)


class Library:
    """Stands in for the compiled kernels of a computer.

    Args:
        present: Sets of kernels, best first; none where nothing is compiled.
    """

    def __init__(self, *present):
        self.present, self.told = present, None

    def used(self):
        return self.told or self.present[0]

    def use(self, choice):
        if choice not in (None, "off", "avx512", "portable"):
            raise ValueError(f"choice={choice!r} is unknown")
        self.told = choice

    def why_not(self, _):
        if self.told == "off":
            return "switched off"
        if not self.present:
            return "not compiled"
        return None if self.used() in self.present else f"no {self.told}"


@pytest.fixture
def install(monkeypatch):
    """Gives this computer a library, in the place of the real one."""

    def install(*present):
        library = Library(*present)
        variants = Variants(lambda: present, library.used, library.use)
        stand_in = Backend("native", naive.attend, library.why_not, variants=variants)
        monkeypatch.setitem(ATTENTION_BACKENDS, "native", stand_in)
        return library

    yield install
    monkeypatch.undo()
    backend.choose_freely()


def chosen():
    return choose(TYPICAL).name


def recorded(*backends, device="cpu", **facts):
    return Arithmetic(device, backends, {**observe(OPTIONS).facts, **facts}).to_plain()


FEW = ("masked",)


def test_a_run_alone_computes_with_what_there_is(install):
    install("avx512", "portable")
    assert agree(OPTIONS).backends == ("native avx512", "gather", "masked")
    assert chosen() == "native"
    install()
    assert agree(OPTIONS).backends == ("gather", "masked")
    assert chosen() == "gather"


def test_a_resumed_run_repeats_what_its_state_computed_with(install):
    library = install("avx512", "portable")
    assert agree(OPTIONS, recorded("native portable", *FEW)).backends == ("native portable", *FEW)
    assert (chosen(), library.used()) == ("native", "portable")
    # compiled since
    assert agree(OPTIONS, recorded("gather", *FEW)).backends == ("gather", *FEW)
    assert chosen() == "gather"
    # any other backend that is new
    assert agree(OPTIONS, recorded(*FEW)).backends == FEW
    assert chosen() == "masked"
    backend.choose_freely()
    assert chosen() == "native"


@pytest.mark.parametrize(
    ("present", "state", "reason"),
    [
        (
            (),
            recorded("native avx512", *FEW),
            "native avx512, with which the saved state does: not",
        ),
        (("portable",), recorded("native avx512", *FEW), "native avx512, .*: no avx512"),
        (("avx512",), recorded("native neon", *FEW), "native neon, .*'neon' is unknown"),
        (("avx512",), recorded("flash", *FEW), "flash, .*no backend is called 'flash'"),
        (("avx512",), recorded("masked", device="cuda"), "cuda, .*it computes with cpu"),
    ],
)
def test_a_run_that_cannot_repeat_its_state_says_so(install, present, state, reason):
    install(*present)
    with pytest.raises(ValueError, match=f"(?s)cannot compute with {reason}") as error:
        agree(OPTIONS, state)
    assert "python -m semanir_arch.ops.native" in str(error.value)
    assert "--force_yml other_arithmetic=true" in str(error.value)
    # told to go on, it does, with the best there is
    went_on = agree(OPTIONS | {"other_arithmetic": True}, state)
    assert went_on.backends == tuple(backend.list_offered("cpu"))
    assert "Continuing, as other_arithmetic is set" in went_on.notes[0]
    assert chosen() == ("native" if present else "gather")


def test_a_process_that_cannot_repeat_the_first_is_named(install, monkeypatch):
    install("avx512")
    others = [("here", {}, {}), ("there", {"native avx512": "not compiled"}, {})]
    monkeypatch.setattr(processes, "gather", lambda _: others)
    with pytest.raises(ValueError, match=r"process 1 on there cannot .*first process does: not"):
        agree(OPTIONS)


def test_facts_that_nobody_can_repeat_are_noted(install):
    install()
    notes = agree(OPTIONS, recorded("gather", *FEW, threads=64)).notes
    assert len(notes) == 1
    assert "threads 1 instead of 64 (of the saved state)" in notes[0].replace(
        "threads 2", "threads 1"
    )


def test_networks_without_such_attention_are_free(install):
    install()
    options = OPTIONS | {"network_g": {"type": "Restormer"}}
    assert agree(options, recorded("native avx512")).backends == ()


def test_a_named_backend_is_the_only_one_that_counts(install):
    install()
    named = OPTIONS | {"network_g": TINY["SemanIRUNet"] | {"backend": "masked"}}
    assert agree(named, recorded("masked")).backends == ("masked",)
    with pytest.raises(ValueError, match="native avx512"):
        agree(named, recorded("native avx512"))


def test_what_is_no_arithmetic_is_told():
    with pytest.raises(ValueError, match="is not a record of arithmetic"):
        Arithmetic.from_plain({"device": "cpu"})


def test_log_and_state_tell_it_and_a_resume_that_cannot_repeat_it_stops(work, install, capsys):
    install()
    arguments = ["-opt", "train.yml", "--auto_resume", "--force_yml"]
    assert train([*arguments, "train:total_iter=2"]) == 0
    log = next((work / "experiments" / "run").glob("*.log")).read_text()
    assert "Computing with: attention by gather, masked; torch " in log
    manifest = read_manifest(work / "experiments" / "run", 2)
    assert manifest.arithmetic["backends"] == ["gather", "masked"]
    other = replace(manifest, arithmetic=recorded("native avx512", *FEW))
    other.write(work / "experiments" / "run")
    assert train([*arguments, "train:total_iter=3"]) == 2
    assert "native avx512, with which the saved state does: not compiled" in capsys.readouterr().err
    assert train([*arguments, "train:total_iter=3", "other_arithmetic=true"]) == 0
    manifest = read_manifest(work / "experiments" / "run", 3)
    assert manifest.arithmetic["backends"] == ["gather", "masked"]


def test_a_test_tells_it_in_its_report_and_keeps_scores_apart(work, install, capsys):
    install()
    arguments = ["-opt", "test.yml", "--force_yml", "path:pretrain_network_g=null"]
    assert run_test(arguments) == 0
    report = json.loads((work / "results" / "run" / "report.json").read_text())
    assert report["attention"] == "gather, masked"
    install("avx512")
    assert run_test(arguments) == 0
    report = json.loads((work / "results" / "run" / "report.json").read_text())
    assert report["attention"] == "native avx512, gather, masked"
    assert "attention backends of a have changed" in capsys.readouterr().err
