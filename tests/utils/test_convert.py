"""Weights go to safetensors and back with everything that is known about them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from semanir_arch.archs import RAMiT, Restormer
from semanir_arch.utils.checkpoint import (
    CheckpointError,
    load_checkpoint,
    load_into,
    save_checkpoint,
)
from semanir_arch.utils.convert import convert, main
from semanir_arch.utils.tensor_file import write_tensors

OPTIONS = {"type": "Example", "depths": [1, 2]}
RECORD = {"iteration": 7, "versions": {"torch": "2.11"}}


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(2, 2), nn.BatchNorm2d(4))


def test_to_safetensors_and_back_keeps_weights_options_and_record(tmp_path, network):
    first, middle, last = (tmp_path / name for name in ("a.pth", "b.SafeTensors", "c.pth"))
    save_checkpoint(
        first, {"params": network.state_dict(), "network_g": OPTIONS, "metadata": RECORD}
    )
    convert(first, middle, task="denoising")
    convert(middle, last)
    for path in (middle, last):
        loaded = load_checkpoint(path)
        torch.testing.assert_close(loaded.params, dict(network.state_dict()), rtol=0, atol=0)
        assert loaded.network == OPTIONS
        assert loaded.metadata == RECORD | {"task": "denoising"}


def test_averaged_weights_of_a_wrapped_network_are_recognised(tmp_path, network, capsys):
    wrapped = nn.DataParallel(network)
    state = {"params": wrapped.state_dict(), "params_ema": wrapped.state_dict()}
    save_checkpoint(tmp_path / "a.pth", state)
    target = tmp_path / "a.safetensors"
    assert main([str(tmp_path / "a.pth"), str(target), "--network", "{type: Example}"]) == 0
    out = capsys.readouterr().out
    assert "BasicSR's layout, with averaged weights (params_ema)" in out
    assert "saved from DataParallel" in out
    assert load_checkpoint(target).network == {"type": "Example"}
    load_into(network, load_checkpoint(target))


def test_files_of_the_authors_are_recognised_and_load_strictly(tmp_path):
    restormer = Restormer(dim=8, num_blocks=(1,) * 4, num_refinement_blocks=1, heads=(1,) * 4)
    ramit = RAMiT(embed_dim=16, depths=(1,) * 4, bottleneck_groups=1, mix_groups=1)
    for network, content in (
        (restormer, {"params": restormer.state_dict()}),
        (ramit, ramit.state_dict()),
    ):
        torch.save(content, tmp_path / "official.pth")
        checkpoint = load_checkpoint(tmp_path / "official.pth")
        assert f"with the names of {type(network).__name__}'s authors" in checkpoint.layout
        load_into(network, checkpoint)
    assert checkpoint.layout.startswith("a bare state dict")


def test_weights_in_half_precision_load_as_float32(tmp_path, network):
    halved = {name: tensor.half() for name, tensor in network.state_dict().items()}
    write_tensors(tmp_path / "a.safetensors", halved, {"network_g": OPTIONS})
    load_into(network, load_checkpoint(tmp_path / "a.safetensors"))
    for name, tensor in network.state_dict().items():
        if name != "2.num_batches_tracked":
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, halved[name].float())


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.9])
def test_a_safetensors_file_cut_short_is_named(tmp_path, network, kept):
    save_checkpoint(tmp_path / "a.pth", {"params": network.state_dict()})
    path = tmp_path / "a.safetensors"
    convert(tmp_path / "a.pth", path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(CheckpointError, match=r"a\.safetensors: cut short"):
        load_checkpoint(path)


def test_what_cannot_be_converted_is_one_line(tmp_path, network, capsys):
    save_checkpoint(tmp_path / "a.pth", {"params": network.state_dict()})
    assert main([str(tmp_path / "a.pth"), str(tmp_path / "a.onnx")]) == 2
    assert "suffix must be one of .safetensors" in capsys.readouterr().err
    assert main([str(tmp_path / "gone.safetensors"), str(tmp_path / "a.pth")]) == 2
    assert "gone.safetensors: no such checkpoint file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "a.pth"]
