"""A warm start: the named parts alone are trained at first."""

from __future__ import annotations

import copy
import functools
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import semanir_arch.plugin  # noqa: F401 - registers the networks
from semanir_arch import host
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.runs import run
from semanir_arch.utils.errors import CheckpointError
from tests.helpers import TINY_SR
from tests.processes import joined, needs_fork, run_processes

PART = "last"
FROZEN_ITERATIONS = 3


@pytest.fixture
def options(options):
    """Momentum and weight decay: both would move a weight whose gradient is zero."""
    options["train"] |= {
        "optim_g": {"type": "AdamW", "lr": 1e-2, "weight_decay": 0.1},
        "freeze": {"except": [PART], "iters": FROZEN_ITERATIONS},
        "ema_decay": 0.9,
    }
    return options


def build(options):
    torch.manual_seed(0)
    return RestorationModel(copy.deepcopy(options))


def step(model, iteration):
    generator = torch.Generator().manual_seed(iteration)
    lq, gt = torch.rand(2, 2, 3, 8, 8, generator=generator)
    model.update_learning_rate(iteration, model.opt["train"].get("warmup_iter", -1))
    model.feed_data({"lq": lq, "gt": gt})
    model.optimize_parameters(iteration)


def changed(model, before):
    """Names of the parameters that are no longer what they were."""
    now = dict(model.get_bare_model(model.net_g).named_parameters())
    return {name for name, value in before.items() if not torch.equal(value, now[name].detach())}


def parameters(model):
    network = model.get_bare_model(model.net_g)
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def test_all_but_the_named_part_stays_until_its_time_has_come(options):
    model = build(options)
    start = parameters(model)
    part = {name for name in start if name.startswith(f"{PART}.")}
    assert 0 < len(part) < len(start)
    for iteration in range(1, FROZEN_ITERATIONS + 1):
        step(model, iteration)
        assert changed(model, start) == part
    assert len(model.optimizer_g.state_dict()["state"]) == len(part)
    then = parameters(model)
    step(model, FROZEN_ITERATIONS + 1)
    assert changed(model, then) == start.keys()


def test_frozen_layers_compute_no_gradient(options):
    model = build(options)
    step(model, 1)
    with_gradient = {n for n, p in model.net_g.named_parameters() if p.grad is not None}
    assert with_gradient == {f"{PART}.weight", f"{PART}.bias"}


def test_a_compiled_network_is_thawed_too(options, monkeypatch):
    plain = build(options)
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    options["train"]["compile"] = True
    model = build(options)
    for iteration in range(1, FROZEN_ITERATIONS + 3):
        step(plain, iteration)
        step(model, iteration)
        assert model.get_current_log() == pytest.approx(plain.get_current_log(), rel=1e-4)


@pytest.mark.parametrize("stop", [FROZEN_ITERATIONS - 1, FROZEN_ITERATIONS, FROZEN_ITERATIONS + 1])
def test_a_resumed_warm_start_is_the_same(options, stop):
    whole = build(options)
    for iteration in range(1, 7):
        step(whole, iteration)
    first = build(options)
    for iteration in range(1, stop + 1):
        step(first, iteration)
    second = build(options)
    for name in ("net_g", "net_g_ema"):
        getattr(second, name).load_state_dict(getattr(first, name).state_dict())
    second.load_training_state(copy.deepcopy(first.training_state()))
    for iteration in range(stop + 1, 7):
        step(second, iteration)
    for name in ("net_g", "net_g_ema"):
        torch.testing.assert_close(
            getattr(second, name).state_dict(), getattr(whole, name).state_dict(), rtol=0, atol=0
        )


def test_ramit_keeps_the_rate_while_frozen_and_then_begins_its_schedule(options):
    options["train"] |= {"warmup_iter": 2}
    options["train"]["scheduler"] = {"type": "MultiStepLR", "milestones": [4], "gamma": 0.5}
    options["train"]["freeze"]["restart_schedule"] = True
    model = build(options)
    rates = []
    for iteration in range(1, 10):
        model.update_learning_rate(iteration, 2)
        rates += model.get_current_learning_rate()
    assert rates == pytest.approx([1e-2] * 3 + [5e-3] + [1e-2] * 3 + [5e-3] * 2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["lust"], "SemanIRUNet has no parameters in 'lust'; did you mean 'last'"),
        (["last.wight"], "no parameters in 'last.wight'; did you mean 'last.weight'"),
        (["las"], "no parameters in 'las'; did you mean 'last'"),
    ],
)
def test_a_name_without_parameters_is_refused(options, names, message):
    options["train"]["freeze"]["except"] = names
    with pytest.raises(ValueError, match=message):
        build(options)


def test_layers_that_the_file_does_not_have_start_alike_in_network_and_average(options, tmp_path):
    """The usual warm start: a network for another scale, whose last layers do not fit."""
    options["network_g"] = copy.deepcopy(TINY_SR)
    del options["train"]["freeze"]
    build(options).save(epoch=0, current_iter=1)
    options["network_g"]["upscale"] = 4
    options["path"] |= {
        "pretrain_network_g": str(tmp_path / "models" / "net_g_1.pth"),
        "strict_load_g": False,
    }
    model = build(options)
    torch.testing.assert_close(
        model.net_g_ema.state_dict(), model.net_g.state_dict(), rtol=0, atol=0
    )


@pytest.mark.parametrize("strict", [True, False])
def test_modules_can_begin_anew_although_the_file_has_them(options, tmp_path, strict):
    """RAMiT's warm start initializes all of its reconstruction, also what fits another scale."""
    options["network_g"] = copy.deepcopy(TINY_SR)
    del options["train"]["freeze"]
    saved = build(options)
    for value in (*saved.net_g.parameters(), *saved.net_g_ema.parameters()):
        value.data.fill_(1)
    saved.save(epoch=0, current_iter=1)
    file = str(tmp_path / "models" / "net_g_1.pth")
    options["path"] |= {"pretrain_network_g": file, "strict_load_g": strict, "fresh_g": ["first"]}
    model = build(options)
    for network in (model.net_g, model.net_g_ema):
        loaded = {name for name, value in network.named_parameters() if torch.all(value == 1)}
        assert loaded == {name for name in parameters(model) if not name.startswith("first.")}
    options["path"]["fresh_g"] = ["frist"]
    with pytest.raises(ValueError, match="path:fresh_g: SemanIR has no parameters in 'frist'"):
        build(options)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_warm_start_takes_files_of_every_layout(options, tmp_path, caplog, suffix):
    """A bare state dict, as RAMiT's authors write it, or safetensors; the log counts what fits."""
    options["network_g"] = copy.deepcopy(TINY_SR)
    del options["train"]["freeze"]
    weights = {name: torch.ones_like(value) for name, value in parameters(build(options)).items()}
    file = tmp_path / f"x2{suffix}"
    save_file(weights, file) if suffix == ".safetensors" else torch.save(weights, file)
    options["network_g"]["upscale"] = 4
    options["path"] |= {"pretrain_network_g": str(file), "strict_load_g": False}
    with caplog.at_level("INFO", logger="basicsr"):
        loaded = parameters(build(options))
    ones = [name for name, value in loaded.items() if torch.all(value == 1)]
    assert len(ones) > 5
    assert f"x2{suffix}: {len(ones)} of" in caplog.text
    torch.save({"strange": torch.ones(3)}, tmp_path / "other.pth")
    options["path"]["pretrain_network_g"] = str(tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="these weights do not fit SemanIR"):
        build(options)


def train_together(rank, options):
    torch.manual_seed(0)
    base = host.load("basicsr.models.base_model").BaseModel
    with ExitStack() as stack:
        run._wrap(stack, base, "model_to_device", run._distribute)
        model = RestorationModel(copy.deepcopy(options) | {"dist": True, "rank": rank})
        for iteration in range(1, 7):
            step(model, iteration)
        return {name: value.numpy() for name, value in parameters(model).items()}


@needs_fork
def test_two_processes_with_one_batch_train_as_one(options):
    options["train"]["optim_g"] = {"type": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}
    alone = build(options)
    for iteration in range(1, 7):
        step(alone, iteration)
    for shared in run_processes(2, joined, train_together, options):
        for name, value in parameters(alone).items():
            np.testing.assert_allclose(shared[name], value, rtol=1e-5, atol=1e-6)
