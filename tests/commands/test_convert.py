"""Weights go to safetensors and back with everything that is known about them."""

from __future__ import annotations

import json
import runpy
import sys

import pytest
import torch
from torch import nn

from semanir_arch.archs import RAMiT, Restormer, build_network
from semanir_arch.bridges.converting import convert
from semanir_arch.commands.convert import main
from semanir_arch.restoring.loading import load_network
from semanir_arch.utils.checkpoint import load_checkpoint, load_into, save_checkpoint
from semanir_arch.utils.errors import CheckpointError
from semanir_arch.utils.options import to_yaml
from semanir_arch.utils.tensor_file import write_tensors
from semanir_arch.weights import find
from tests.each import each
from tests.helpers import TINY, TINY_UNET, save_weights

OPTIONS = TINY_UNET
RECORD = {"iteration": 7, "versions": {"torch": "2.11"}}


@pytest.fixture
def network():
    return build_network(OPTIONS)


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
    assert main([str(tmp_path / "a.pth"), str(target), "--network", json.dumps(OPTIONS)]) == 0
    out = capsys.readouterr().out
    assert "BasicSR's layout, with averaged weights (params_ema)" in out
    assert "saved from DataParallel" in out
    assert load_checkpoint(target).network == OPTIONS
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
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, halved[name].float())


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.9])
def test_a_safetensors_file_cut_short_is_named(tmp_path, network, kept):
    save_checkpoint(tmp_path / "a.pth", {"params": network.state_dict()})
    path = tmp_path / "a.safetensors"
    convert(tmp_path / "a.pth", path, network=OPTIONS)
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


RAMIT = {"type": "RAMiT", **TINY["RAMiT"]}
BROKEN = [
    # what the file or the arguments hold, and what the message must say
    (
        {"params": {"a.b": torch.ones(1)}},
        [],
        "a.pth: BasicSR's layout, which does not say which network",
    ),
    ({"params": {"a.b": torch.ones(1)}}, ["--network", "{type: Nothing}"], "'Nothing' is unknown"),
    ({"params": {"a.b": torch.ones(1)}, "network_g": TINY_UNET}, [], "do not fit SemanIRUNet"),
    (lambda n: {"params": n, "network_g": TINY_UNET | {"depth": 1}}, [], "no argument 'depth'"),
    (lambda n: {"params": n, "network_g": TINY_UNET | {"widths": [4]}}, [], "of another shape"),
    (lambda n: {"params": n}, [], "--network '{type: SemanIRUNet, window_size: 32, k: 512}'"),
    (lambda n: {"params": n, "network_g": TINY_UNET}, ["--prefix", "net."], "begins with 'net.'"),
    (lambda n: {"params": n | {"x.extra": torch.ones(1)}, "network_g": TINY_UNET}, [], "x.extra"),
    (lambda n: {"params": dict(list(n.items())[1:]), "network_g": TINY_UNET}, [], "1 missing in"),
    ({"params_ema": {}, "params": {}}, [], "params_ema and params is empty"),
    (lambda n: {"params": n | {"last.bias": torch.full((3,), torch.nan)}}, [], "not finite (first"),
]


@each("content, arguments, message", BROKEN)
def test_what_could_not_be_restored_is_refused_and_nothing_is_written(
    tmp_path, network, capsys, content, arguments, message
):
    content = content(dict(network.state_dict())) if callable(content) else content
    torch.save(content, tmp_path / "a.pth")
    target = tmp_path / "b.safetensors"
    assert main([str(tmp_path / "a.pth"), str(target), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not target.exists()


def wrapped(names, *prefixes):
    return {prefix + name: value for prefix in prefixes for name, value in names.items()}


def inside(names, component):
    """As if every second part had been compiled or wrapped by itself."""
    return {
        name.replace(".", f".{component}.", 1) if index % 2 else name: value
        for index, (name, value) in enumerate(names.items())
    }


ORIGINS = {
    "compiled": lambda n: {"params": wrapped(n, "_orig_mod.")},
    "compiled in parts": lambda n: {"params": inside(n, "_orig_mod")},
    "DataParallel, compiled": lambda n: {"params": wrapped(n, "module._orig_mod.")},
    "compiled, DataParallel": lambda n: {"params": wrapped(n, "_orig_mod.module.")},
    "FSDP": lambda n: wrapped(n, "_fsdp_wrapped_module."),
    "checkpointed": lambda n: inside(n, "_checkpoint_wrapped_module"),
    "AveragedModel": lambda n: wrapped(n, "module.") | {"n_averaged": torch.tensor(7)},
    "Lightning": lambda n: {"epoch": 3, "state_dict": wrapped(n, "model.")},
    "Lightning, compiled": lambda n: {"state_dict": wrapped(n, "net._orig_mod.")},
    "Lightning, deeper": lambda n: {"state_dict": wrapped(n, "model.net_g.")},
    "empty average": lambda n: {"params_ema": {}, "params": n},
    "no average": lambda n: {"params_ema": None, "params": n},
    "training state": lambda n: {"model": n, "optimizer": {"lr": 1.0}, "epoch": 1},
    "one unknown key": lambda n: {"weights_of_mine": n},
}


@each("origin", ORIGINS)
def test_weights_of_every_origin_restore_and_convert(tmp_path, network, origin):
    content = ORIGINS[origin](dict(network.state_dict()))
    bare = all(isinstance(value, torch.Tensor) for value in content.values())
    record = {"network_g": TINY_UNET}
    torch.save({"params": content, **record} if bare else {**content, **record}, tmp_path / "a.pth")
    if origin == "one unknown key":
        # with a second key it would be none
        torch.save(content, tmp_path / "a.pth")
    convert(tmp_path / "a.pth", tmp_path / "b.safetensors", network=TINY_UNET)
    x = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        wanted = network.eval()(x)
        assert torch.equal(load_network(tmp_path / "b.safetensors")(x), wanted)
        if origin != "one unknown key":
            assert torch.equal(load_network(tmp_path / "a.pth")(x), wanted)
    assert load_checkpoint(tmp_path / "b.safetensors").params.keys() == network.state_dict().keys()


def test_one_of_several_networks_in_a_file_is_named_by_its_prefix(tmp_path, network, capsys):
    names = wrapped(dict(network.state_dict()), "model.", "model_ema.") | {"loss.w": torch.ones(1)}
    torch.save({"state_dict": names, "network_g": TINY_UNET}, tmp_path / "a.ckpt")
    command = [str(tmp_path / "a.ckpt"), str(tmp_path / "b.pth")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "a.ckpt NEW.safetensors --prefix model." in told
    assert main([*command, "--prefix", "model_ema."]) == 0
    assert load_checkpoint(tmp_path / "b.pth").params.keys() == network.state_dict().keys()


def test_an_option_file_names_the_network(tmp_path, network, capsys):
    """As the folder of an experiment has one, beside its models."""
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "net_g_5.pth"
    torch.save({"params": {"strange.name": torch.ones(1)}}, file)
    (tmp_path / "run.yml").write_text(to_yaml({"name": "x", "network_g": TINY_UNET}))
    target = tmp_path / "b.pth"
    assert main([str(file), str(target)]) == 2
    assert f"NEW.safetensors --network {tmp_path / 'run.yml'}" in capsys.readouterr().err
    torch.save({"params": network.state_dict()}, file)
    assert main([str(file), str(target), "--network", str(tmp_path / "run.yml")]) == 0
    assert load_checkpoint(target).network == TINY_UNET


@pytest.mark.parametrize("text", ["[1]", "{type", "gone.yml", "SemanIR"])
def test_what_names_no_network_is_told(tmp_path, capsys, text):
    with pytest.raises(SystemExit):
        main(["a.pth", "b.pth", "--network", text])
    assert f"received {text!r}" in capsys.readouterr().err


def test_shipped_weights_are_named_by_their_task(tmp_path):
    assert main(["denoise", str(tmp_path / "b.safetensors")]) == 0
    loaded, shipped = (
        load_checkpoint(path) for path in (tmp_path / "b.safetensors", find("denoise").path)
    )
    assert (loaded.network, loaded.metadata) == (shipped.network, shipped.metadata)
    torch.testing.assert_close(loaded.params, shipped.params, rtol=0, atol=0)


def test_the_module_is_a_command(tmp_path, monkeypatch):
    save_weights(tmp_path / "a.pth", TINY_UNET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["convert", "a.pth", "b.safetensors"])
    monkeypatch.delitem(sys.modules, "semanir_arch.commands.convert", raising=False)
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("semanir_arch.commands.convert", run_name="__main__")
    assert (tmp_path / "b.safetensors").is_file()
