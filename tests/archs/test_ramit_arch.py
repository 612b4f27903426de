"""RAMiT: the published sizes and costs, the authors' names and outputs, and the plain equations."""

from __future__ import annotations

from string import Template

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from semanir_arch.archs import RAMiT, build_network
from semanir_arch.archs.ramit_arch import RAMIT_PRESETS, RAMIT_TASKS
from semanir_arch.tasks import find_task
from tests.archs.naive_ramit import NaiveRAMiT
from tests.archs.named_weights import fill
from tests.each import each
from tests.helpers import ROOT

OUTPUTS = ROOT / "tests" / "archs" / "reference" / "outputs.npz"

TASKS = {
    "X2": "sr_x2",
    "X3": "sr_x3",
    "X4": "sr_x4",
    "CDN": "denoising_color",
    "GDN": "denoising_gray",
    "LLE": "low_light",
    "DR": "deraining",
}

NAIVE_NAMES = {
    "embed_dim": "dim",
    "mobivari": "mv_ver",
    "bottleneck_expansion": "bottleneck_exp",
    "mix_expansion": "mix_exp",
}


def arguments_of(model: str) -> dict:
    preset, task = model.split("_")
    return {"task": TASKS[task], "in_chans": 1 if task == "GDN" else 3, **RAMIT_PRESETS[preset]}


def make_naive(arguments: dict) -> NaiveRAMiT:
    given = dict(arguments)
    task = RAMIT_TASKS[find_task(given.pop("task")).name]
    settings = {"upscale": task.upscale, "helper": task.helper, "mean": task.mean, "std": task.std}
    return NaiveRAMiT(**settings | {NAIVE_NAMES.get(key, key): v for key, v in given.items()})


SQUARE, WIDE = (256, 256), (736, 1280)

# Parameters and entries, then 10^9 multiply-adds for each size (LQ, padded) they are published for.
PUBLISHED = [
    ("RAMiT_X2", 939_844, 528, {(384, 640): 163.4}),
    ("RAMiT_X3", 948_499, 528, {(256, 448): 77.3}),
    ("RAMiT_X4", 960_616, 528, {(192, 320): 42.1}),
    ("RAMiT-1_X2", 823_164, 476, {(384, 640): 149.3}),
    ("RAMiT-1_X3", 831_819, 476, {(256, 448): 70.7}),
    ("RAMiT-1_X4", 843_936, 476, {(192, 320): 38.6}),
    ("RAMiT-slimSR_X2", 581_008, 528, {(384, 640): 127.8}),
    ("RAMiT-slimSR_X3", 587_503, 528, {(256, 448): 60.4}),
    ("RAMiT-slimSR_X4", 596_596, 528, {(192, 320): 32.9}),
    ("RAMiT_CDN", 934_651, 528, {SQUARE: 43.2, WIDE: 620.8}),
    ("RAMiT_DR", 934_651, 528, {SQUARE: 43.2}),
    ("RAMiT_GDN", 932_271, 528, {SQUARE: 43.0, WIDE: 618.5}),
    ("RAMiT_LLE", 934_651, 528, {SQUARE: 43.2, WIDE: 621.6}),
    ("RAMiT-1_CDN", 817_971, 476, {SQUARE: 39.4, WIDE: 566.8}),
    ("RAMiT-slimLLE_LLE", 358_243, 336, {SQUARE: 17.6, WIDE: 252.8}),
]


@each("model, parameters, entries, costs", PUBLISHED)
def test_sizes_and_costs_are_the_published_ones(
    model: str, parameters: int, entries: int, costs: dict[tuple[int, int], float]
) -> None:
    with torch.device("meta"):
        network = RAMiT(**arguments_of(model))
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert len(network.state_dict()) == entries
    counted, pixels = count_as_published(model, network, (64, 64)), 64 * 64
    for (height, width), published in costs.items():
        # windows and channels do the same work for every pixel
        assert counted * height * width / pixels == pytest.approx(1e9 * published, abs=0.05e9)


def test_costs_grow_with_the_pixels() -> None:
    with torch.device("meta"):
        network = RAMiT(**arguments_of("RAMiT_X2"))
    small, large = (count_as_published("RAMiT_X2", network, size) for size in ((64, 64), SQUARE))
    assert large == 16 * small


@pytest.mark.parametrize(
    ("task", "channels", "parameters"),
    [
        ("sr_x2", 3, 939_844),
        ("sr_x3", 3, 948_499),
        ("sr_x4", 3, 960_616),
        ("denoising_color", 3, 934_651),
        ("denoising_gray", 1, 932_271),
        ("low_light", 3, 934_651),
        ("deraining", 3, 934_651),
    ],
)
def test_the_option_fragment_is_the_published_network(
    task: str, channels: int, parameters: int
) -> None:
    network = from_fragment("ramit", channels=channels, task=task, mobivari=2)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("fragment", "preset", "task"),
    [
        ("ramit", "RAMiT", "sr_x2"),
        ("ramit", "RAMiT-1", "sr_x3"),
        ("ramit_slim_sr", "RAMiT-slimSR", "sr_x4"),
        ("ramit_slim_lle", "RAMiT-slimLLE", "low_light"),
    ],
)
def test_the_option_fragments_are_the_presets(fragment: str, preset: str, task: str) -> None:
    version = 1 if preset == "RAMiT-1" else 2
    network = from_fragment(fragment, channels=3, task=task, mobivari=version)
    with torch.device("meta"):
        expected = RAMiT(task=task, **RAMIT_PRESETS[preset])
    assert {n: p.shape for n, p in network.named_parameters()} == {
        n: p.shape for n, p in expected.named_parameters()
    }
    assert network.stage1.helper == expected.stage1.helper


def from_fragment(name: str, **values: object) -> nn.Module:
    text = (ROOT / "options" / "_base_" / "network" / f"{name}.yml").read_text()
    with torch.device("meta"):
        return build_network(yaml.safe_load(Template(text).substitute(values))["network_g"])


def count_as_published(model: str, network: RAMiT, size: tuple[int, int]) -> float:
    """Multiply-adds by the convention that gives all published figures.

    Facts: convolutions and both attention products as torch counts them, a norm as one per element,
    no biases. Inferred, because the figures follow to the last digit with these and only within
    0.25 % without: the last convolution counted at the size of the input; one product per element
    in every block of a network with helpers; three per element where the stages meet.
    """
    arguments, norms = arguments_of(model), 0
    with torch.device("meta"):
        naive = make_naive(arguments)
        x = torch.empty(1, network.in_chans, *size)
        naive.mean, naive.std = naive.mean.to("meta"), naive.std.to("meta")

    def count(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal norms
        norms += output.numel()

    for module in naive.modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_hook(count)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        naive(x)
    pixels = x.shape[2] * x.shape[3]
    features = pixels * arguments.get("embed_dim", 64)
    full, half, quarter, last = arguments.get("depths", (6, 4, 4, 6))
    helped = features * (full + half / 4 + quarter / 16 + last) if network.stage1.helper else 0.0
    enlarged = 9 * network.out_chans**2 * pixels * (network.upscale**2 - 1)
    return counter.get_total_flops() // 2 + norms - enlarged + helped + 3 * features


@pytest.mark.parametrize("model", ["RAMiT_X2", "RAMiT-1_CDN", "RAMiT-slimSR_X3", "RAMiT_GDN"])
def test_names_and_shapes_are_the_authors(model: str) -> None:
    with torch.device("meta"):
        own = RAMiT(**arguments_of(model)).state_dict()
        named = make_naive(arguments_of(model)).state_dict()
    assert {n: t.shape for n, t in own.items()} == {n: t.shape for n, t in named.items()}
    assert own["stage1.blocks.block0.sp_attn.relative_position_index"].dtype == torch.int64


@each(
    "model",
    [
        "RAMiT_X2",
        "RAMiT_X3",
        "RAMiT_X4",
        "RAMiT_CDN",
        "RAMiT_GDN",
        "RAMiT_LLE",
        "RAMiT_DR",
        "RAMiT-1_X2",
        "RAMiT-1_CDN",
        "RAMiT-slimSR_X2",
        "RAMiT-slimLLE_LLE",
    ],
)
def test_outputs_are_the_authors(model: str) -> None:
    reference = np.load(OUTPUTS)
    low, high = reference[f"{model}.range"]
    expected = torch.from_numpy(reference[model] / 65535.0 * (high - low) + low)
    network = fill(RAMiT(**arguments_of(model)))
    torch.manual_seed(0)
    x = torch.rand(1, network.in_chans, 48, 48)
    # The authors' network pads with zeros; their evaluation has padded symmetrically before.
    with torch.no_grad():
        out = network.restore(F.pad(x, (0, 16, 0, 16)))
    side = 48 * network.upscale
    out = out[..., :side, :side].double()
    torch.testing.assert_close(out, expected, atol=1e-3 * (high - low), rtol=0)


SMALL = {"embed_dim": 16, "depths": (3, 1, 2, 2), "bottleneck_groups": 3, "mix_groups": 1}


# every two of the values together
@each(
    "task, mobivari, num_heads",
    [
        ("sr_x3", 1, (4, 2, 4, 4)),
        ("sr_x3", 2, (8, 8, 8, 8)),
        ("denoising_color", 1, (8, 8, 8, 8)),
        ("denoising_color", 2, (4, 2, 4, 4)),
    ],
)
def test_outputs_and_gradients_are_those_of_the_equations(
    task: str, mobivari: int, num_heads: tuple[int, ...]
) -> None:
    arguments = {**SMALL, "task": task, "mobivari": mobivari, "num_heads": num_heads}
    naive = fill(make_naive(arguments)).double()
    fast = RAMiT(**arguments).double()
    fast.load_state_dict(naive.state_dict())
    x = torch.rand(2, 3, 32, 64, dtype=torch.float64)
    results = []
    for network in (naive, fast):
        inputs = x.clone().requires_grad_()
        out = network(inputs)
        out.square().mean().backward()
        gradients = [inputs.grad, *(p.grad for _, p in sorted(network.named_parameters()))]
        results.append((out.detach(), gradients))
    (naive_out, naive_gradients), (fast_out, fast_gradients) = results
    # SDPA computes exponentials to 20 bits.
    torch.testing.assert_close(fast_out, naive_out, atol=1e-6, rtol=0)
    for own, expected in zip(fast_gradients, naive_gradients, strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(own, expected, atol=1e-6 * scale, rtol=0)


def test_working_in_bands_changes_nothing() -> None:
    network = fill(RAMiT(**SMALL, task="low_light"))
    x = torch.rand(2, 3, 96, 288)
    whole = network(x).detach()
    with torch.no_grad():
        in_bands = network(x)
    torch.testing.assert_close(in_bands, whole, atol=1e-4, rtol=1e-4)


def test_helper_follows_the_task_unless_given() -> None:
    x = torch.rand(1, 3, 32, 32)
    outs = {}
    for helper in (None, True, False):
        network = fill(RAMiT(**SMALL, task="denoising_color", helper=helper))
        with torch.no_grad():
            outs[helper] = network(x)
    assert torch.equal(outs[None], outs[False])
    assert not torch.allclose(outs[None], outs[True], atol=1e-2)


def test_statistics_are_no_weights_but_move_with_the_network() -> None:
    network = RAMiT(**SMALL)
    assert not {"mean", "std"} & set(network.state_dict())
    assert network.to(torch.float64).mean.dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "sr_x8"}, "task='sr_x8' is unknown; allowed: 'sr_x2'"),
        ({"task": "denoising_gray"}, "in_chans=3: images of task 'denoising_gray' have 1 channel"),
        ({"embed_dim": 60}, "embed_dim=60 must be a multiple of 16"),
        ({"depths": (6, 4, 6)}, r"depths=\[6, 4, 6\] must list 4 positive numbers"),
        ({"num_heads": (4, 4, 4, 1)}, "num_heads=1: 2 or more"),
        ({"mobivari": 3}, "mobivari=3 is unknown; allowed: 1, 2"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        RAMiT(**arguments)
