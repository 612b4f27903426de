"""What option files may say about a training, and what they get told."""

from __future__ import annotations

import itertools
import re

import pytest

from semanir_arch.models.schedules import build_schedule, learning_rate
from semanir_arch.runs.prepare import complete_options
from semanir_arch.utils.options import OptionError, to_yaml
from tests.each import each
from tests.helpers import ROOT

LEAF = str(ROOT / "options" / "denoising" / "SemanIR_color.yml")
FRAGMENTS = ROOT / "options" / "_base_"


def problems(*overrides):
    with pytest.raises(OptionError) as error:
        complete_options(LEAF, overrides, is_train=True)
    return str(error.value)


@each(
    "override, message",
    [
        ("precison=bf16", "precison: unknown key; did you mean 'precision'?"),
        ("precision=half", "received 'half'; allowed: 'fp32', 'bf16', 'fp16'"),
        ("train:accumulat=2", "train:accumulat: unknown key; did you mean 'accumulate'?"),
        ("train:grad_clip=1", "train:grad_clip: unknown key"),
        ("train:compile=1", "train:compile: received 1; expected bool"),
        ("train:freeze={except: [last]}", "train:freeze:iters: missing"),
        ("train:freeze={exept: [last], iters: 1}", "freeze:exept: unknown key; did you mean 'exc"),
        ("train:mixing_augs={mixup_bta: 1}", "mixup_bta: unknown key; did you mean 'mixup_beta'?"),
        ("train:losses={l_f: {type: FTLoss}}", "losses:l_f:type: received 'FTLoss'; did you mean"),
        (
            "train:losses={l_f: {type: FFTLoss, nrm: a}}",
            "l_f:nrm: unknown key; did you mean 'norm'",
        ),
        (
            "train:scheduler={type: CosineAnnealingRestartCyclicLR, periods: [400000],"
            " restart_weights: [1]}",
            "train:scheduler:eta_mins: missing",
        ),
    ],
)
def test_what_is_misspelt_or_missing_is_told_with_the_nearest_name(override, message):
    assert message in problems(override)


def test_periods_cover_what_the_schedule_is_counted_for():
    freeze = "train:freeze={except: [last], iters: 100000, restart_schedule: true}"
    cosine = "train:scheduler={type: CosineAnnealingRestartLR, periods: [300000]}"
    assert "300000 iterations in all; total_iter is 400000" in problems(cosine)
    complete_options(LEAF, [cosine, freeze], is_train=True)


def recipes():
    """Whole schedules of the documentation, by the words that each begins with."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(# (.*?)\n.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {title: block for block, title in blocks if "total_iter" in block}


@pytest.fixture
def resolved(tmp_path):
    """Function from the title of a documented fragment to the options of a training with it."""

    def resolve(title):
        (text,) = (text for name, text in recipes().items() if name.startswith(title))
        (tmp_path / "recipe.yml").write_text(text, encoding="utf-8")
        named = ("runtime/train", "network/semanir_unet_light", "data/denoising")
        base = [str(FRAGMENTS / f"{name}.yml") for name in named]
        base += [str(FRAGMENTS / "testsets/denoising_color.yml"), str(tmp_path / "recipe.yml")]
        leaf = {"_base_": base, "vars": {"channels": 3, "sigma": 25}}
        (tmp_path / "leaf.yml").write_text(to_yaml(leaf))
        return complete_options(str(tmp_path / "leaf.yml"), [], is_train=True).options

    return resolve


def test_every_documented_recipe_is_valid(resolved):
    assert len(recipes()) == 4
    for title in recipes():
        resolved(title)


def rates(train, *iterations):
    """Learning rates that a training with these options would use."""
    schedule, freeze = build_schedule(train["scheduler"]), train.get("freeze", {})
    constant = freeze.get("iters", 0)
    return [
        learning_rate(schedule, train["optim_g"]["lr"], i, train.get("warmup_iter", -1), constant)
        for i in iterations
    ]


def test_restormers_recipe_is_constant_and_then_a_cosine(resolved):
    options = resolved("Restormer")
    plan = options["datasets"]["train"]["progressive"]
    ends = list(itertools.accumulate(stage["iters"] for stage in plan))
    assert ends == [92_000, 156_000, 204_000, 240_000, 276_000, 300_000]
    assert ends[-1] == options["train"]["total_iter"]
    expected = [3e-4, 3e-4, (3e-4 + 1e-6) / 2, 1e-6]
    assert rates(options["train"], 1, 92_001, 196_001, 300_001) == pytest.approx(expected)


def test_ramits_recipe_halves_with_the_batch_and_at_its_milestones(resolved):
    """In passes of 25,000 samples: stages of 100, 100 and 200, warm-up of 20."""
    options = resolved("RAMiT (arXiv")
    train, plan = options["train"], options["datasets"]["train"]["progressive"]
    per_pass = [25_000 / (2 * stage["batch_size_per_gpu"]) for stage in plan]
    assert [stage["iters"] for stage in plan] == [
        pytest.approx(passes * iterations, abs=1)
        for passes, iterations in zip((100, 100, 200), per_pass, strict=True)
    ]
    assert sum(stage["iters"] for stage in plan) == train["total_iter"]
    assert train["warmup_iter"] == int(20 * per_pass[0])
    second, third = 100 * per_pass[0], 100 * (per_pass[0] + per_pass[1])
    for passes, factor in ((150, 1 / 2), (250, 1 / 8), (320, 1 / 16), (360, 1 / 32), (399, 1 / 64)):
        start, first = (second, 100) if passes < 200 else (third, 200)
        iteration = round(start + (passes - first) * per_pass[1 if passes < 200 else 2])
        assert rates(train, iteration) == pytest.approx([4e-4 * factor])
    assert rates(train, 3906, 7812, 39_062) == pytest.approx([2e-4, 4e-4, 4e-4])


def test_ramits_warm_start_is_constant_and_then_begins_anew(resolved):
    train = resolved("RAMiT, warm")["train"]
    assert rates(train, 1, 50_000) == [4e-4, 4e-4]
    assert rates(train, 55_000, 60_000, 100_000) == pytest.approx([2e-4, 4e-4, 4e-4])
    assert rates(train, 100_001, 275_001, 300_000) == pytest.approx([2e-4, 4e-4 / 64, 4e-4 / 64])
