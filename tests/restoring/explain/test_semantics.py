from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.archs import build_network
from semanir_arch.restoring.explain.semantics import key_semantics
from tests.helpers import TINY, TINY_SR, TINY_UNET

UNET = TINY_UNET | {
    "widths": [8, 16],
    "depths": [2, 1],
    "num_heads": [2, 4],
    "window_size": [4, 2],
    "final_depth": 1,
    "k": 5,
}
SR = TINY_SR | {"depths": [1, 2], "num_heads": [2, 2], "k": 6}
VARIANTS = {
    "u-shape": UNET,
    "u-shape, shifted": UNET | {"shift": "stage"},
    "columnar": SR,
    "columnar, shifted": SR | {"shift": "stage"},
    "cosine": SR | {"shift": "stage", "sim_norm": "l2", "score": "cosine", "norm": "post"},
    "gray": SR | {"in_chans": 1},
    "every key": SR | {"shift": "stage", "k": 99},
}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def network(request):
    network = build_network(request.param).eval()
    for parameter in network.parameters():
        # fresh weights are too small for the attention to prefer any key
        parameter.data = 0.3 * torch.randn_like(parameter)
    return network


@pytest.fixture
def image(network):
    return torch.rand(1, network.in_chans, 13, 18)


def every_pixel(image):
    return torch.cartesian_prod(*(torch.arange(side) for side in image.shape[-2:]))


def stage_inputs(network, image):
    """What enters each stage, found without the code under test."""
    inputs, handles = {}, []
    for name, module in network.named_modules():
        if hasattr(module, "layers"):
            handles.append(
                module.register_forward_hook(
                    lambda _, given, __, name=name: inputs.update({name: given[0][0].detach()})
                )
            )
    with torch.no_grad():
        network(image)
    for handle in handles:
        handle.remove()
    return inputs


def neighbours(stage, features, y, x):
    """Positions that a token may look at, by the words of the paper and loops."""
    height, width, _ = features.shape
    ranges = []
    for position, side in ((y, height), (x, width)):
        shift = stage.shift if side > stage.window_size else 0
        # windows begin at shift, shift + w, ...; what lies before the first is a part of one
        number = (position - shift) // stage.window_size
        start = number * stage.window_size + shift
        ranges.append(range(max(start, 0), min(start + stage.window_size, side)))
    return {(row, column) for row in ranges[0] for column in ranges[1]}


def test_keys_are_the_most_similar_tokens_of_the_window(network, image):
    inputs = stage_inputs(network, image)
    for stage in key_semantics(network, image, every_pixel(image)):
        module = network.get_submodule(stage.name)
        features = inputs[stage.name].permute(1, 2, 0).double().numpy()
        if module.sim_norm == "l2":
            features = features / np.linalg.norm(features, axis=-1, keepdims=True)
        rounding = 1e-5 * (features**2).sum(axis=-1).max()
        for row, (y, x) in enumerate(stage.tokens.tolist()):
            places = [tuple(place) for place in stage.positions(row).tolist()]
            allowed = neighbours(module, features, y, x)
            assert {places[i] for i in stage.eligible[row].nonzero()} == allowed
            similar = {place: features[y, x] @ features[place] for place in allowed}
            found = dict(zip(places, stage.similarity[row].tolist(), strict=True))
            assert {p: found[p] for p in allowed} == pytest.approx(similar, abs=rounding)
            kept = {places[i] for i in stage.kept[row].nonzero()}
            assert len(kept) == min(stage.k, len(allowed))
            dropped = max((similar[place] for place in allowed - kept), default=-np.inf)
            assert min(similar[place] for place in kept) >= dropped - rounding


def test_every_pixel_has_the_token_that_covers_it(network, image):
    pixels = every_pixel(image)
    for stage in key_semantics(network, image, pixels):
        assert torch.equal(stage.tokens[stage.rows], pixels // stage.scale)


def test_the_weights_are_those_of_the_attention(network, image):
    """A layer's attention is its weights times its values; here the values are one-hot."""
    pixels = every_pixel(image)
    stages = key_semantics(network, image, pixels)
    for stage in stages:
        assert not stage.attention[~stage.kept].any()
        torch.testing.assert_close(stage.attention.sum(dim=1), torch.ones(len(stage.tokens)))
    stage = stages[0]
    module = network.get_submodule(stage.name)
    seen = []
    handles = [
        layer.attention.register_forward_pre_hook(lambda a, given: seen.append((a, given)))
        for layer in module.layers
    ]
    with torch.no_grad():
        network(image)
        for handle in handles:
            handle.remove()
        expected = torch.stack([weights_of(a, *given[:2]) for a, given in seen]).mean(dim=0)
    size = module.window_size
    for row, (y, x) in enumerate(stage.tokens.tolist()):
        window = y // size * (stage.size[1] // size) + x // size
        place = y % size * size + x % size
        torch.testing.assert_close(stage.attention[row], expected[window, place])


def weights_of(attention, tokens, dictionary):
    """Weights (nW, N, N) of a layer, mean over its heads: what one-hot values come out as."""
    projected = attention.project(tokens)
    attention.out = torch.nn.Identity()
    columns = []
    for key in range(tokens.shape[1]):
        q, k, v, scale = projected
        value = torch.zeros_like(v)
        value[:, :, key] = 1
        attention.project = lambda _, given=(q, k, value, scale): given
        columns.append(attention(tokens, dictionary, "naive").mean(dim=-1))
    return torch.stack(columns, dim=-1)


def test_the_result_of_the_network_is_not_changed(network, image):
    with torch.no_grad():
        before = network(image)
        outputs = []
        handle = network.register_forward_hook(lambda _, __, output: outputs.append(output))
        key_semantics(network, image, torch.tensor([[3, 4]]))
        handle.remove()
        after = network(image)
    assert torch.equal(outputs[0], before)
    assert torch.equal(after, before)
    hooks = [h for m in network.modules() for h in (m._forward_pre_hooks, m._forward_hooks)]
    assert not any(hooks)


@pytest.mark.parametrize("name", ["Restormer", "RAMiT"])
def test_networks_without_a_dictionary_are_refused_by_name(name):
    network = build_network({"type": name, **TINY[name]})
    with pytest.raises(ValueError, match=f"^{name} has no key-semantic dictionary to explain"):
        key_semantics(network, torch.rand(1, 3, 8, 8), torch.tensor([[0, 0]]))


def test_a_pixel_outside_the_image_is_refused():
    network = build_network(TINY_UNET)
    with pytest.raises(ValueError, match="pixel 9,2 lies outside the image of 9 x 5 pixels"):
        key_semantics(network, torch.rand(1, 3, 5, 9), torch.tensor([[0, 0], [2, 9]]))


def test_an_image_of_one_pixel_looks_at_its_padding():
    network = build_network(TINY_UNET).eval()
    (stage,) = {
        s.name: s for s in key_semantics(network, torch.rand(1, 3, 1, 1), torch.tensor([[0, 0]]))
    }.values()
    assert stage.kept.sum() == stage.k
    assert np.prod(stage.size) == 16
