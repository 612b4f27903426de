"""What a resumed training continues from."""

from __future__ import annotations

import copy

import pytest
import torch

import semanir_arch.plugin  # noqa: F401 - registers the networks
from semanir_arch import host
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.utils.checkpoint import load_state, save_checkpoint
from tests.helpers import TINY_SR


def build(options, model=RestorationModel):
    torch.manual_seed(0)
    return model(copy.deepcopy(options))


def step(model, iteration):
    lq, gt = torch.rand(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(iteration))
    model.update_learning_rate(iteration)
    model.feed_data({"lq": lq, "gt": gt})
    model.optimize_parameters(iteration)


def test_a_state_is_read_without_running_code_and_holds_the_scaler(options, tmp_path):
    first, second = build(options), build(options)
    for model in (first, second):
        model._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
    step(first, 1)
    first._scaler.update(2.0**5)
    save_checkpoint(tmp_path / "1.state", first.training_state())
    second.load_training_state(load_state(tmp_path / "1.state"))
    assert second._scaler.get_scale() == 2.0**5
    torch.testing.assert_close(
        second.optimizer_g.state_dict(), first.optimizer_g.state_dict(), rtol=0, atol=0
    )


def test_a_state_of_plain_basicsr_is_continued(options):
    """BasicSR's own model makes two steps, ours the third; or ours makes all."""
    options["train"]["ema_decay"] = 0
    options["train"]["optim_g"] = {"type": "Adam", "lr": 1e-3}
    options["train"]["scheduler"] = {"type": "MultiStepLR", "milestones": [2]}
    plain = build(options, host.load("basicsr.models.sr_model").SRModel)
    ours = build(options)
    for iteration in (1, 2):
        step(plain, iteration)
        step(ours, iteration)
    state = {
        "epoch": 0,
        "iter": 2,
        "optimizers": [plain.optimizer_g.state_dict()],
        "schedulers": [plain.schedulers[0].state_dict()],
    }
    resumed = build(options)
    resumed.net_g.load_state_dict(plain.net_g.state_dict())
    resumed.resume_training(copy.deepcopy(state))
    for model in (ours, resumed):
        step(model, 3)
        assert model.get_current_learning_rate() == [pytest.approx(1e-4)]
    torch.testing.assert_close(resumed.net_g.state_dict(), ours.net_g.state_dict())


def test_a_resumed_training_takes_a_changed_option(options):
    """BasicSR goes on with the learning rate and the milestones of the state."""
    first = build(options)
    step(first, 1)
    options["train"]["optim_g"] |= {"lr": 3e-5, "weight_decay": 0.2}
    options["train"]["scheduler"]["milestones"] = [1]
    resumed = build(options)
    resumed.load_training_state(first.training_state())
    resumed.update_learning_rate(2)
    (group,) = resumed.optimizer_g.param_groups
    assert (group["lr"], group["weight_decay"]) == (pytest.approx(3e-6), 0.2)
    assert len(resumed.optimizer_g.state) == len(group["params"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state | {"optimizers": []}, "the training state has 0 optimizers, not 1"),
        (lambda state: state, "the training state does not fit the network: loaded state dict"),
    ],
)
def test_the_state_of_another_training_is_refused(options, change, message):
    state = build(options).training_state()
    other = build(options | {"network_g": TINY_SR, "scale": 2})
    with pytest.raises(ValueError, match=message):
        other.load_training_state(change(state))


def test_parameters_that_a_network_freezes_itself_are_not_optimised(options):
    registry = host.load("basicsr.utils.registry").ARCH_REGISTRY

    class HalfFrozen(torch.nn.Sequential):
        def __init__(self):
            super().__init__(torch.nn.Conv2d(3, 3, 1), torch.nn.Conv2d(3, 3, 1))
            self[0].requires_grad_(False)

    registry.register(HalfFrozen)
    options["network_g"] = {"type": "HalfFrozen"}
    model = build(options)
    before = copy.deepcopy(model.net_g.state_dict())
    step(model, 1)
    assert len(model.optimizer_g.param_groups[0]["params"]) == 2
    changed = {n for n, v in model.net_g.state_dict().items() if not torch.equal(v, before[n])}
    assert changed == {"1.weight", "1.bias"}
