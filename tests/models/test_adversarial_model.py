"""A network and its discriminator: the same steps as BasicSR's, and none that is not finite."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pytest
import torch
from semanir_arch.engine import train
from torch import nn

import semanir_arch.plugin  # noqa: F401 - registers the networks
from semanir_arch import host
from semanir_arch.archs import build_network
from semanir_arch.data.files.image_io import write_image
from semanir_arch.models.adversarial_model import AdversarialModel
from semanir_arch.utils.checkpoint import load_state, save_checkpoint
from semanir_arch.utils.options import resolve
from tests.helpers import ROOT, TINY, make_image


@host.load("basicsr.utils.registry").ARCH_REGISTRY.register()
class PlainCritic(nn.Sequential):
    """A discriminator without state besides its weights, so that steps can be compared exactly."""

    def __init__(self, num_feat: int = 4):
        super().__init__(
            nn.Conv2d(3, num_feat, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(num_feat, 1, 3)
        )


@pytest.fixture
def options(options):
    options["network_d"] = {"type": "PlainCritic"}
    options["train"] |= {
        "optim_g": {"type": "Adam", "lr": 1e-3},
        "optim_d": {"type": "Adam", "lr": 2e-3},
        "gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "loss_weight": 0.1},
    }
    return options


def build(options, owner=AdversarialModel):
    torch.manual_seed(0)
    return owner(copy.deepcopy(options))


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    gt = torch.rand(4, 3, 16, 16, generator=generator)
    return {"lq": gt + 0.1 * torch.randn(gt.shape, generator=generator), "gt": gt}


def step(model, iteration):
    model.feed_data(batch(iteration))
    model.update_learning_rate(iteration)
    model.optimize_parameters(iteration)
    return dict(model.get_current_log())


def states(model):
    return {
        name: {key: value.clone() for key, value in getattr(model, name).state_dict().items()}
        for name in ("net_g", "net_g_ema", "net_d")
    }


def assert_close(first, second):
    for name in first:
        for key in first[name]:
            torch.testing.assert_close(first[name][key], second[name][key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "relativistic"), [("ESRGANModel", True), ("SRGANModel", False)])
def test_steps_are_those_of_basicsr(options, name, relativistic):
    options["train"]["relativistic"] = relativistic
    ours = build(options)
    theirs = build(options, host.load("basicsr.utils.registry").MODEL_REGISTRY.get(name))
    for network in ("net_g", "net_g_ema", "net_d"):
        getattr(theirs, network).load_state_dict(getattr(ours, network).state_dict())
    for iteration in (1, 2, 3):
        mine, other = step(ours, iteration), step(theirs, iteration)
        assert mine["l_pix"] == pytest.approx(other["l_g_pix"], rel=1e-4)
        assert mine["l_gan"] == pytest.approx(other["l_g_gan"], rel=1e-4)
        for key in ("l_d_real", "l_d_fake", "out_d_real", "out_d_fake"):
            assert mine[key] == pytest.approx(other[key], rel=1e-4, abs=1e-6)
    assert_close(states(ours), states(theirs))


def test_a_plain_batch_in_parts_is_the_same_step(options):
    options["train"]["relativistic"] = False
    whole = build(options)
    options["train"]["accumulate"] = 3
    parts = build(options)
    for iteration in (1, 2):
        step(whole, iteration)
        step(parts, iteration)
    assert_close(states(whole), states(parts))


def test_a_step_that_is_not_finite_changes_neither_network(options):
    options["network_d"] = {"type": "UNetDiscriminatorSN", "num_in_ch": 3, "num_feat": 2}
    model = build(options)
    step(model, 1)
    before = states(model)
    data = batch(2)
    data["lq"][0, 0, 0, 0] = math.nan
    model.feed_data(data)
    model.optimize_parameters(2)
    after = states(model)
    for name in before:
        assert all(torch.equal(before[name][key], after[name][key]) for key in before[name])
    assert all(map(math.isfinite, step(model, 3).values()))


def test_the_discriminator_learns_only_in_its_own_step(options):
    options["train"]["gan_opt"]["loss_weight"] = 0
    model = build(options)
    first = states(model)["net_d"]
    log = step(model, 1)
    assert log["l_gan"] == 0
    assert any(not torch.equal(first[key], value) for key, value in states(model)["net_d"].items())
    assert all(parameter.requires_grad for parameter in model.net_d.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network_d": None}, "AdversarialModel needs network_d in"),
        ({"train": {"optim_d": None, "gan_opt": None}}, "needs train:optim_d, train:gan_opt in"),
        ({"path": {"strict_load_d": False}}, "path:strict_load_d: received false"),
    ],
)
def test_what_is_missing_is_named(options, changes, message):
    for key, value in changes.items():
        options[key] = options[key] | value if isinstance(value, dict) else value
    with pytest.raises(ValueError, match=message):
        build(options)


LEAF = ROOT / "options/train/realworld/SemanIR_x2_gan.yml"


@pytest.fixture
def stand_in(tmp_path):
    """The first two convolutions of a VGG-19 with random weights, where the leaf looks for it."""
    generator = torch.Generator().manual_seed(0)
    sizes = {"0": (64, 3, 3, 3), "2": (64, 64, 3, 3)}
    weights = {
        f"features.{index}.weight": 0.1 * torch.randn(size, generator=generator)
        for index, size in sizes.items()
    }
    weights |= {f"features.{index}.bias": torch.zeros(64) for index in sizes}
    path = tmp_path / "datasets/weights/vgg19.pth"
    path.parent.mkdir(parents=True)
    torch.save(weights, path)
    return path


@pytest.fixture
def leaf(tmp_path, monkeypatch, stand_in):
    """The second stage of real-world super-resolution, small enough for a moment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})
    for index in range(3):
        write_image(tmp_path / "gt" / f"{index}.png", make_image((40, 44, 3), seed=index))
    start = resolve(LEAF).options["network_g"] | TINY["SemanIR"] | {"upscale": 2}
    save_checkpoint("start.pth", {"params": build_network(start).state_dict()})
    changed = {
        **{f"network_g:{key}": value for key, value in TINY["SemanIR"].items() if key != "upscale"},
        "network_d:num_feat": 2,
        "path:pretrain_network_g": "start.pth",
        "datasets:train:dataroot_gt": "gt",
        "datasets:train:patch_size": 16,
        "datasets:train:batch_size_per_gpu": 2,
        "datasets:train:num_worker_per_gpu": 0,
        **{f"datasets:val_{name}:dataroot_gt": "gt" for name in ("Set14", "McMaster", "Kodak24")},
        "train:losses:l_vgg:layers": ["conv1_2"],
        "train:losses:l_vgg:layer_weights": [1],
        "train:total_iter": 6,
        "logger:save_checkpoint_freq": 3,
        "logger:print_freq": 1,
        "logger:use_tb_logger": False,
    }
    return [f"{key}={json.dumps(value)}" for key, value in changed.items()]


def run(overrides, *flags):
    return train.main(["-opt", str(LEAF), *flags, "--force_yml", *overrides])


def weights_of(label):
    name = resolve(LEAF).options["name"]
    folder = Path("experiments") / name / "models"
    return {net: load_state(folder / f"net_{net}_{label}.pth") for net in ("g", "d")}


def test_the_second_stage_trains_and_resumes_to_the_same_bits(leaf):
    assert run(leaf) == 0
    whole = weights_of("6")
    for path in [*Path("experiments").rglob("*6.*"), *Path("experiments").rglob("*latest*")]:
        path.unlink()
    assert run(leaf, "--auto_resume") == 0
    again = weights_of("6")
    assert "params_ema" in whole["g"]
    for net in ("g", "d"):
        for kind in {"params", "params_ema"} & whole[net].keys():
            for key, value in whole[net][kind].items():
                assert torch.equal(value, again[net][kind][key])
    (log,) = Path("experiments").rglob("train_*.log")
    for loss in ("l_pix", "l_vgg", "l_gan", "l_d_real", "l_d_fake"):
        assert f"{loss}: " in log.read_text()


def test_without_perceptual_weights_it_says_how_to_make_them(leaf, stand_in, capsys):
    stand_in.unlink()
    assert run(leaf) != 0
    assert "torchvision.models.vgg19(weights='IMAGENET1K_V1')" in capsys.readouterr().err


def test_misspelt_options_of_the_second_network_are_refused(leaf, capsys):
    wrong = ["network_d:num_feats=3", "train:optim_d:rate=1", "train:gan_opt:type=GanLoss"]
    assert run([*leaf, *wrong]) != 0
    error = capsys.readouterr().err
    for hint in ("'num_feat'", "rate: unknown key", "did you mean 'GANLoss'"):
        assert hint in error
