"""spandrel, and what loads with it, restores with this package's networks as this package does."""

from __future__ import annotations

import pytest
import torch

from semanir_arch.archs import NETWORKS, build_network
from semanir_arch.bridges import spandrel_reader
from semanir_arch.bridges.converting import convert
from semanir_arch.utils import stamp
from semanir_arch.utils.checkpoint import load_checkpoint
from semanir_arch.utils.checkpoint_layout import find_family
from semanir_arch.utils.errors import CheckpointError
from semanir_arch.utils.tensor_file import read_tensors, write_tensors
from semanir_arch.weights import available
from tests.each import each
from tests.helpers import TINY, TINY_SR, TINY_UNET, save_weights

spandrel = pytest.importorskip("spandrel", reason="the extra spandrel is not installed")

BLOCKS = [
    TINY_UNET | {"k": 3, "score": "cosine", "sim_norm": "l2", "norm": "post"},
    TINY_UNET | {"in_chans": 1, "window_size": 6},
    TINY_SR | {"upscale": 3, "shift": "stage", "depths": [1, 1], "num_heads": [2, 4]},
    TINY_SR | {"upscale": 4, "window_size": 8, "k": 9},
    {"type": "RAMiT", "task": "low_light", **TINY["RAMiT"]},
    {"type": "RAMiT", "task": "sr_x3", "helper": False, **TINY["RAMiT"]},
]


@pytest.fixture
def registry():
    """All of spandrel's architectures, and ours."""
    from semanir_arch.bridges.spandrel_archs import install

    registry = spandrel.MAIN_REGISTRY.copy()
    install(registry)
    install(registry)
    return registry


def load(registry, path):
    return spandrel.ModelLoader(registry=registry).load_from_file(path)


@pytest.mark.parametrize("block", BLOCKS)
def test_outputs_are_ours_to_the_last_bit(tmp_path, registry, block):
    """Also where the tensors' shapes do not tell window, kept keys, task, scores or norms."""
    torch.manual_seed(0)
    network = save_weights(tmp_path / "net.pth", block)
    convert(tmp_path / "net.pth", tmp_path / "net.safetensors")
    loaded = load(registry, tmp_path / "net.safetensors")
    assert loaded.architecture.name == block["type"]
    assert (loaded.scale, loaded.input_channels) == (network.upscale, network.in_chans)
    assert loaded.purpose == ("SR" if network.upscale > 1 else "Restoration")
    for size in [(19, 33), (5, 3)]:
        x = torch.rand(1, network.in_chans, *size)
        with torch.inference_mode():
            assert torch.equal(loaded(x), network(x).clamp(0, 1))


@each("shipped", available)
def test_every_shipped_file_loads_by_itself(registry, shipped):
    """Those that were written before the options became a tensor are known by their weights."""
    loaded = load(registry, shipped.path)
    network = build_network(shipped.record["network"]).eval()
    network.load_state_dict(read_tensors(shipped.path)[0])
    x = torch.rand(1, network.in_chans, 21, 18)
    with torch.inference_mode():
        assert torch.equal(loaded(x), network(x).clamp(0, 1))


def test_the_flags_hold(registry):
    """In bfloat16 results are near those in float32; float16, where sr_x2 fails, is refused."""
    (path,) = (one.path for one in available() if one.task.name == "sr_x2")
    loaded = load(registry, path)
    x = torch.rand(1, 3, 21, 18)
    exact = loaded(x)
    rounded = loaded.bfloat16()(x.bfloat16()).float()
    assert (rounded - exact).abs().max() < 0.05
    with pytest.raises(spandrel.UnsupportedDtypeError):
        loaded.half()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_options_survive_a_conversion_of_the_whole_file(tmp_path, registry, dtype):
    save_weights(tmp_path / "net.pth", TINY_SR)
    convert(tmp_path / "net.pth", tmp_path / "net.safetensors")
    state = spandrel.ModelLoader().load_state_dict_from_file(tmp_path / "net.safetensors")
    loaded = registry.load({name: value.to(dtype) for name, value in state.items()})
    assert loaded.architecture.name == "SemanIR"


def test_weights_alone_are_refused_with_the_command_that_helps(tmp_path, registry):
    for block in BLOCKS:
        save_weights(tmp_path / "net.pth", block)
        with pytest.raises(ValueError, match=r"semanir_arch\.commands\.convert FILE"):
            load(registry, tmp_path / "net.pth")


def test_no_network_is_taken_for_another():
    """By spandrel's own architectures, or among ours."""
    theirs = spandrel_reader._registry()
    for name in NETWORKS:
        state = build_network({"type": name, **TINY.get(name, {})}).state_dict()
        assert find_family(state) == name
        with pytest.raises(spandrel.UnsupportedModelError):
            theirs.load(state)


def test_the_tensor_alone_names_the_network_here_too(tmp_path):
    """A file that another program wrote anew has lost its metadata."""
    network = save_weights(tmp_path / "net.pth", TINY_UNET)
    tensors = {**network.state_dict(), stamp.NAME: stamp.make_stamp(TINY_UNET)}
    torch.save(tensors, tmp_path / "bare.pth")
    write_tensors(tmp_path / "bare.safetensors", tensors, {})
    for path in (tmp_path / "bare.pth", tmp_path / "bare.safetensors"):
        loaded = load_checkpoint(path)
        assert loaded.network == TINY_UNET
        assert loaded.params.keys() == network.state_dict().keys()


@each(
    "content",
    [
        torch.ones(2, 2),
        torch.tensor([300]),
        torch.tensor([91, 93]),
        torch.zeros(2**17),
        torch.tensor([float("nan")]),
        torch.tensor([123, 125]),
    ],
)
@each("suffix", ["pth", "safetensors"])
def test_a_damaged_tensor_is_named(tmp_path, content, suffix):
    tensors = {"a": torch.ones(1), stamp.NAME: content}
    path = tmp_path / f"net.{suffix}"
    if suffix == "pth":
        torch.save({"params": tensors}, path)
    else:
        write_tensors(path, tensors, {})
    with pytest.raises(CheckpointError, match=rf"net\.{suffix}: semanir_arch\.network_g is no"):
        load_checkpoint(path)


def test_restormer_is_not_registered(registry):
    state = build_network({"type": "Restormer", **TINY["Restormer"]}).state_dict()
    with pytest.raises(spandrel.UnsupportedModelError):
        registry.load(state)
