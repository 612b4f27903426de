"""Checkpoints are written whole, read safely, and explain why they do not fit."""

from __future__ import annotations

import argparse
import errno
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from semanir_arch.utils.checkpoint import load_checkpoint, load_into, load_state, save_checkpoint
from semanir_arch.utils.errors import CheckpointError


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(2, 2))


@pytest.fixture
def saved(tmp_path, network):
    path = tmp_path / "net_g_latest.pth"
    averaged = {name: value + 1 for name, value in network.state_dict().items()}
    options = {"type": "Example", "depths": [1, 2]}
    state = {"params": network.state_dict(), "params_ema": averaged, "network_g": options}
    save_checkpoint(path, state)
    return path


def test_a_network_file_returns_what_was_saved(saved, network):
    checkpoint = load_checkpoint(saved, "params")
    assert checkpoint.network == {"type": "Example", "depths": [1, 2]}
    torch.testing.assert_close(checkpoint.params, dict(network.state_dict()))


def test_averaged_weights_are_preferred(saved, network):
    loaded = load_checkpoint(saved).params["1.bias"]
    torch.testing.assert_close(loaded, network[1].bias.detach() + 1)


def test_the_first_key_present_is_taken(tmp_path, network):
    path = tmp_path / "x.pth"
    save_checkpoint(path, {"params": network.state_dict()})
    loaded = load_checkpoint(path, ("params_ema", "params"))
    torch.testing.assert_close(loaded.params["1.bias"], network[1].bias.detach())


@pytest.mark.parametrize("wrapped", [False, True])
def test_bare_and_parallel_state_dicts_load(tmp_path, network, wrapped):
    network_given = nn.DataParallel(network) if wrapped else network
    torch.save(network_given.state_dict(), tmp_path / "x.pth")
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(2, 2))
    load_into(other, load_checkpoint(tmp_path / "x.pth"))
    torch.testing.assert_close(other.state_dict(), network.state_dict())


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_file_cut_short_is_named(saved, kept):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(CheckpointError, match=f"{saved.name}: cut short"):
        load_checkpoint(saved)


def test_foreign_objects_are_refused_with_their_type(tmp_path):
    torch.save({"params": {}, "args": argparse.Namespace(lr=1)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"argparse\.Namespace"):
        load_checkpoint(tmp_path / "x.pth")


def test_a_file_without_weights_names_its_keys(tmp_path):
    torch.save({"epoch": 3, "params": {"x": 1}}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="not a dictionary of tensors"):
        load_checkpoint(tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="its keys: epoch, params"):
        load_checkpoint(tmp_path / "x.pth", "params_ema")


def test_entries_that_are_no_weights_are_named(tmp_path):
    torch.save({"params": {"a": torch.zeros(1), "extra": None, "lr": 0.1}}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="not tensors: extra, lr"):
        load_checkpoint(tmp_path / "x.pth")


def test_a_record_of_another_kind_is_left_out(tmp_path):
    content = {"params": {"a": torch.zeros(1)}, "network_g": "Restormer", "metadata": [1]}
    torch.save(content, tmp_path / "x.pth")
    loaded = load_checkpoint(tmp_path / "x.pth")
    assert (loaded.network, loaded.metadata) == (None, {})


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short, the file is empty"),
        (b"\n<!DOCTYPE html><html>quota exceeded", "a web page, not a checkpoint"),
        (b"just text " * 50, "cut short"),
        (pickle.dumps(argparse.Namespace(lr=1)), "cut short|Namespace"),
    ],
)
def test_what_is_no_checkpoint_is_told_without_warnings(
    tmp_path, suffix, content, message, recwarn
):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)
    assert not recwarn.list


def test_a_folder_is_told_from_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [[1, 2], 3])
def test_something_else_than_a_dictionary_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="expected a dictionary"):
        load_state(tmp_path / "x.pth")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.pth"):
        load_state(tmp_path / "gone.pth")


def test_weights_of_another_network_give_one_message_and_change_nothing(saved):
    other = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(2, 2, bias=False))
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        load_into(other, load_checkpoint(saved))
    message = str(error.value)
    assert "1 unknown to the network: 1.bias" in message
    assert "2 of another shape: 0.weight (4, 3, 3, 3) instead of (8, 3, 3, 3)" in message
    assert "saved from Example(depths=[1, 2])" in message
    assert "recognized as BasicSR's layout, with averaged weights (params_ema)" in message
    torch.testing.assert_close(dict(other.state_dict()), before)


def test_long_lists_of_names_are_cut(tmp_path, network):
    deep = nn.Sequential(*(nn.Linear(1, 1) for _ in range(20)))
    save_checkpoint(tmp_path / "x.pth", {"params": deep.state_dict()})
    with pytest.raises(CheckpointError, match=r"40 unknown to the network: .* and 32 more"):
        load_into(nn.Identity(), load_checkpoint(tmp_path / "x.pth"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_full_disk_is_told_as_the_system_tells_it(tmp_path, monkeypatch, size):
    """torch.save raises a RuntimeError about its position in the file."""
    path = tmp_path / "x.pth"
    monkeypatch.setattr("secrets.token_hex", lambda _: "x")
    (tmp_path / f".x.pth.{os.getpid()}-x.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_checkpoint(path, {"params": {"a": torch.zeros(size)}})
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert not list(tmp_path.iterdir())
