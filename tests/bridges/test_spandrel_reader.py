"""Networks of others restore here as they do in spandrel, to the last bit."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from semanir_arch.bridges import spandrel_reader
from semanir_arch.bridges.basicsr_networks import build_basicsr, find_basicsr
from semanir_arch.bridges.opening import open_network
from semanir_arch.commands.restore import main as restore
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.utils.checkpoint import load_checkpoint
from tests.bridges.foreign_files import RRDB, SWINIR, SWINIR_JPEG, build_drct, save_basicsr
from tests.helpers import make_image

spandrel = pytest.importorskip("spandrel", reason="the extra spandrel is not installed")

SIZES = [(37, 29), (5, 3), (16, 16)]


def save(path, kind):
    if kind == "DRCT":
        torch.save(build_drct().state_dict(), path)
    else:
        save_basicsr(path, {"SwinIR": SWINIR, "JPEG": SWINIR_JPEG, "RRDBNet": RRDB}[kind])
    return path


@pytest.mark.parametrize("kind", ["SwinIR", "JPEG", "RRDBNet", "DRCT"])
def test_outputs_are_those_of_spandrel(tmp_path, kind):
    path = save(tmp_path / "net.pth", kind)
    network = open_network(load_checkpoint(path))
    theirs = spandrel.ModelLoader().load_from_file(path)
    assert (network.name, network.upscale) == (theirs.architecture.name, theirs.scale)
    for height, width in SIZES:
        x = torch.rand(1, network.in_chans, height, width)
        assert torch.equal(network(x), theirs(x))


@pytest.mark.parametrize("kind", ["SwinIR", "JPEG", "RRDBNet"])
def test_what_train_py_writes_restores_as_the_network_that_was_trained(tmp_path, kind):
    """Compared with BasicSR's own class, padded by numpy."""
    block = {"SwinIR": SWINIR, "JPEG": SWINIR_JPEG, "RRDBNet": RRDB}[kind]
    trained = save_basicsr(tmp_path / "net.pth", block)
    network = open_network(load_checkpoint(tmp_path / "net.pth"))
    x = np.random.default_rng(0).random((1, network.in_chans, 37, 29), np.float32)
    window = block.get("window_size", 1)
    bottom, right = (-length % window for length in x.shape[-2:])
    padded = np.pad(x, ((0, 0), (0, 0), (0, bottom), (0, right)), mode="reflect")
    scale = network.upscale
    with torch.no_grad():
        wanted = trained(torch.from_numpy(padded))[..., : 37 * scale, : 29 * scale].clamp(0, 1)
    torch.testing.assert_close(network(torch.from_numpy(x)), wanted, rtol=0, atol=1e-6)


def test_a_deduction_that_contradicts_the_file_is_not_used(tmp_path):
    """Spandrel takes windows of 8 for images from 0 to 1; this network was trained on 0 to 255."""
    block = SWINIR | {"img_range": 255.0}
    trained = save_basicsr(tmp_path / "net.pth", block)
    checkpoint = load_checkpoint(tmp_path / "net.pth")
    with pytest.raises(spandrel_reader.ForeignError, match=r"img_range is 255\.0 in the file, 1"):
        spandrel_reader.recognise(checkpoint)
    x = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        assert torch.equal(open_network(checkpoint)(x), trained(x))


@pytest.mark.parametrize("block", [SWINIR, SWINIR_JPEG, RRDB, RRDB | {"scale": 2}])
def test_without_spandrel_basicsr_builds_what_the_file_names(tmp_path, monkeypatch, block):
    monkeypatch.setattr(spandrel_reader, "is_installed", lambda: False)
    trained = save_basicsr(tmp_path / "net.pth", block)
    network = open_network(load_checkpoint(tmp_path / "net.pth"))
    assert network.upscale == block.get("scale", block.get("upscale"))
    assert network.size_multiple == block.get(
        "window_size", 4 // network.upscale if "scale" in block else 1
    )
    x = torch.rand(1, network.in_chans, 4 * network.size_multiple, 2 * network.size_multiple)
    with torch.no_grad():
        assert torch.equal(network(x), trained(x))
    assert network(x[..., :-1, 1:]).shape[-1] == (x.shape[-1] - 1) * network.upscale


def test_a_network_of_basicsr_that_restores_no_image_is_refused(tmp_path):
    block = {"type": "VGGStyleDiscriminator", "num_in_ch": 3, "num_feat": 4}
    save_basicsr(tmp_path / "net.pth", block)
    entry = find_basicsr(block["type"])
    with pytest.raises(ValueError, match=r"net\.pth: BasicSR's VGGStyleDiscriminator does not"):
        build_basicsr(load_checkpoint(tmp_path / "net.pth"), entry)


@pytest.mark.parametrize("prefix", ["model.", "net_g.", "module.model._orig_mod."])
def test_prefixes_of_trainers_are_removed(tmp_path, prefix):
    network = save_basicsr(tmp_path / "plain.pth", RRDB)
    named = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save({"state_dict": named, "pytorch-lightning_version": "2"}, tmp_path / "net.ckpt")
    x = torch.rand(1, 3, 9, 7)
    files = [tmp_path / "plain.pth", tmp_path / "net.ckpt"]
    first, second = (open_network(load_checkpoint(file))(x) for file in files)
    assert torch.equal(first, second)


def test_the_restorer_cuts_tiles_that_agree_with_the_whole_image(tmp_path):
    save_basicsr(tmp_path / "net.pth", RRDB, named=False)
    image = make_image((70, 90, 3))
    whole = Restorer(tmp_path / "net.pth", device="cpu", tile=None).restore(image)
    tiles = Restorer(tmp_path / "net.pth", device="cpu", tile=64, overlap=48).restore(image)
    assert whole.shape == (280, 360, 3)
    assert np.abs(whole.astype(int) - tiles).max() <= 1


def test_bf16_is_refused_where_the_architecture_cannot(tmp_path, monkeypatch):
    save_basicsr(tmp_path / "net.pth", RRDB)
    Restorer(tmp_path / "net.pth", device="cpu", precision="bf16")
    wrap = spandrel_reader._wrap

    def without(descriptor):
        descriptor.supports_bfloat16 = False
        return wrap(descriptor)

    monkeypatch.setattr(spandrel_reader, "_wrap", without)
    with pytest.raises(ValueError, match=r"net\.pth: its network, ESRGAN, does not work in bf16"):
        Restorer(tmp_path / "net.pth", device="cpu", precision="bf16")


def test_the_command_restores_gray_and_colour_and_compares(tmp_path, capsys):
    save_basicsr(tmp_path / "net.pth", RRDB)
    write_image(tmp_path / "in" / "gray.png", make_image((11, 13)))
    write_image(tmp_path / "in" / "alpha.png", make_image((9, 8, 4)))
    command = [str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--compare", "--device", "cpu"]
    assert restore([*command, "--weights", str(tmp_path / "net.pth")]) == 0
    assert load_image(tmp_path / "out" / "gray.png").pixels.shape == (44, 52, 1)
    assert load_image(tmp_path / "out" / "alpha.png").pixels.shape == (36, 32, 4)
    assert (tmp_path / "out" / "compare.html").is_file()
    assert restore([*command, "--weights", str(tmp_path / "net.pth"), "--k", "4"]) == 2
    assert "k=4: ESRGAN has no key-semantic dictionary" in capsys.readouterr().err


def test_the_page_restores_with_a_network_of_others(tmp_path):
    """What the page's queue works with: the menu of one file, and a photo that was sent."""
    from semanir_arch.data.files.image_encoding import encode_image
    from semanir_arch.data.files.image_io import decode_image
    from semanir_arch.restoring.serve.choices import find_choices
    from semanir_arch.restoring.serve.job_queue import PhotoJob
    from semanir_arch.restoring.serve.photo_restoring import Workshop

    save_basicsr(tmp_path / "net.pth", RRDB, named=False)
    (choice,) = find_choices(tmp_path / "net.pth")
    workshop = Workshop([choice], lambda one: Restorer(one.weights, "cpu"))
    image = make_image((9, 12, 3))
    outcome = workshop.work(PhotoJob(choice.name, "photo.png", encode_image(image, Path("a.png"))))
    wanted = Restorer(tmp_path / "net.pth", "cpu").restore(image)
    np.testing.assert_array_equal(decode_image(outcome.result, "result").pixels, wanted)


def test_export_keeps_a_network_of_others_at_one_size(tmp_path, capsys):
    from semanir_arch.commands.export import main

    save_basicsr(tmp_path / "net.pth", RRDB)
    target = tmp_path / "net.pt2"
    command = [str(tmp_path / "net.pth"), "-o", str(target)]
    assert main(command) == 2
    assert (
        "ESRGAN is another project's network, whose graph has one size" in capsys.readouterr().err
    )
    assert main([*command, "--tile", "12"]) == 0
    assert "largest difference from torch: 0.0e+00" in capsys.readouterr().out
    assert target.is_file()


def test_an_inpainting_network_is_refused(tmp_path, monkeypatch):
    class Masked:
        architecture = type("A", (), {"name": "LaMa"})

    class Registry:
        def load(self, state):
            return Masked()

    monkeypatch.setattr(spandrel_reader, "_registry", Registry)
    save_basicsr(tmp_path / "net.pth", RRDB, named=False)
    with pytest.raises(ValueError, match="LaMa fills holes and needs a mask"):
        open_network(load_checkpoint(tmp_path / "net.pth"))


def test_test_py_measures_a_network_of_others(tmp_path, monkeypatch):
    """With the protocol of the option file, whose own network is another."""
    from semanir_arch import host
    from semanir_arch.commands.test import main
    from semanir_arch.utils.options import to_yaml

    monkeypatch.chdir(tmp_path)
    save_basicsr(tmp_path / "net.pth", SWINIR)
    write_image(tmp_path / "gt" / "a.png", make_image((48, 64, 3)))
    (tmp_path / "test.yml").write_text(
        to_yaml(
            {
                "name": "foreign",
                "model_type": "RestorationModel",
                "scale": 2,
                "num_gpu": 0,
                "datasets": {
                    "test": {"name": "a", "type": "BicubicSRDataset", "dataroot_gt": "gt"}
                },
                "network_g": {"type": "SemanIR", "upscale": 2},
                "path": {"pretrain_network_g": None},
                "val": {"save_img": True, "protocol": "sr_y"},
            }
        )
    )
    host.load("basicsr.utils.logger").initialized_logger.clear()
    logging.getLogger("basicsr").handlers.clear()
    assert main(["-opt", "test.yml", "--weights", "net.pth"]) == 0
    report = (tmp_path / "results" / "foreign" / "report.md").read_text()
    assert "SwinIR" in report
    assert "net.pth" in report
    assert main(["-opt", "test.yml", "--weights", "net.pth", "--force_yml", "scale=4"]) == 2


def test_extra_architectures_are_read(tmp_path, monkeypatch):
    """The package that has them is looked for, and its registry joins."""
    import sys
    from types import SimpleNamespace

    class Found(spandrel.Architecture):
        def __init__(self):
            super().__init__(id="extra", detect=lambda state: "only.here" in state)

        def load(self, state):
            model = torch.nn.Conv2d(3, 3, 1)
            return spandrel.ImageModelDescriptor(
                model, model.state_dict(), self, "Restoration", [], True, True, 1, 3, 3
            )

    entries = [spandrel.ArchSupport.from_architecture(Found())]
    find = spandrel_reader.importlib.util.find_spec
    monkeypatch.setitem(
        sys.modules, "spandrel_extra_arches", SimpleNamespace(EXTRA_REGISTRY=entries)
    )
    monkeypatch.setattr(
        spandrel_reader.importlib.util,
        "find_spec",
        lambda name: True if name == "spandrel_extra_arches" else find(name),
    )
    torch.save({"only.here": torch.ones(1)}, tmp_path / "net.pth")
    assert open_network(load_checkpoint(tmp_path / "net.pth")).name == "extra"
    assert "extra" not in spandrel.MAIN_REGISTRY


def test_a_file_that_states_nothing_is_taken_as_spandrel_takes_it(tmp_path):
    """Windows of 8: values from 0 to 1, whatever it was trained on."""
    trained = save_basicsr(tmp_path / "net.pth", SWINIR | {"img_range": 255.0}, named=False)
    x = torch.rand(1, 3, 16, 24)
    restored = open_network(load_checkpoint(tmp_path / "net.pth"))(x)
    with torch.no_grad():
        assert (restored - trained(x).clamp(0, 1)).abs().max() > 0.01
        trained.img_range = 1.0
        torch.testing.assert_close(restored, trained(x).clamp(0, 1), rtol=0, atol=1e-6)
