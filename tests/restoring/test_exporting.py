"""An exported file restores as the network does, says how to use it, and needs nothing of us."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from semanir_arch.archs import build_network
from semanir_arch.commands.export import main
from semanir_arch.restoring import exporting as export_module
from semanir_arch.restoring.exporting import METADATA_FILE
from semanir_arch.restoring.tracing import trace
from semanir_arch.utils.checkpoint import load_checkpoint, load_into, save_checkpoint
from tests.archs.test_networks import SMALL

needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="the extra `export` is not installed",
)


def save(path: Path, name: str, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    options = {"type": name} | SMALL[name] | changes
    network = build_network(options)
    state = {"params": network.state_dict(), "network_g": options, "metadata": {"task": "denoise"}}
    save_checkpoint(path, state)
    return network.eval()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save(tmp_path / "w.pth", "SemanIR")
    return tmp_path / "w.pth"


@pytest.mark.slow
@needs_onnx
@pytest.mark.parametrize(
    ("name", "changes", "least"),
    [
        ("SemanIR", {"depths": [1], "num_heads": [2], "sim_norm": "l2", "score": "cosine"}, 1),
        ("SemanIRUNet", {"shift": "stage", "final_depth": 0}, 9),
        ("Restormer", {"num_blocks": [1] * 4}, 1),
        ("RAMiT", {"depths": [2, 1, 1, 1]}, 1),
    ],
)
def test_onnxruntime_and_torch_restore_images_of_any_size(
    tmp_path: Path, name: str, changes: dict, least: int, monkeypatch
) -> None:
    import onnxruntime

    # tracing takes seconds: the graph that is written is looked at too
    graphs = []

    def keep(*arguments):
        graphs.append(trace(*arguments))
        return graphs[0]

    monkeypatch.setattr(export_module, "trace", keep)
    network = save(tmp_path / "w.pth", name, **changes)
    target = tmp_path / "out.onnx"
    assert main([str(tmp_path / "w.pth"), "-o", str(target)]) == 0
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["network"])["type"] == name
    assert int(facts["scale"]) == network.upscale
    assert (facts["sizes"], int(facts["smallest_side"])) == ("open", least)
    assert int(facts["size_multiple"]) == network.size_multiple
    assert facts["channel_order"] == "RGB"
    assert facts["range"].startswith("[0, 1]")
    assert json.loads(facts["training"]) == {"task": "denoise"}
    for size in ((least, least + 1), (23, 41)):
        x = torch.rand(1, 3, *size)
        with torch.no_grad():
            expected = network(x)
        (restored,) = session.run(["restored"], {"image": x.numpy()})
        np.testing.assert_allclose(restored, expected.numpy(), atol=1e-4, rtol=0)
    (graph,) = graphs
    with torch.no_grad():
        torch.testing.assert_close(graph.module()(x), expected, atol=1e-4, rtol=0)


@needs_onnx
def test_a_tile_fixes_the_size(tmp_path: Path, weights: Path, capsys) -> None:
    import onnxruntime

    target = tmp_path / "out.onnx"
    assert main([str(weights), "-o", str(target), "--tile", "10", "--k", "3"]) == 0
    assert "sizes: 10 x 10" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 3, 10, 10]
    network = build_network(load_checkpoint(weights).network | {"k": 3}).eval()
    load_into(network, load_checkpoint(weights))
    x = torch.rand(1, 3, 10, 10)
    with torch.no_grad():
        expected = network(x).numpy()
    (restored,) = session.run(None, {"image": x.numpy()})
    np.testing.assert_allclose(restored, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("arguments", "sizes"), [([], "open"), (["--tile", "9"], "9 x 9")])
def test_a_torch_file_runs_without_this_package(
    tmp_path: Path, weights: Path, arguments: list[str], sizes: str
) -> None:
    target, pictures = tmp_path / "out.pt2", tmp_path / "pictures.pt"
    assert main([str(weights), "-o", str(target), *arguments]) == 0
    side = (9, 9) if arguments else (23, 41)
    code = f"""
import json, sys, torch
sys.modules["semanir_arch"] = None
extra = {{"{METADATA_FILE}": ""}}
graph = torch.export.load("{target}", extra_files=extra).module()
x = torch.rand(1, 3, *{side})
torch.save([x, graph(x), extra["{METADATA_FILE}"]], "{pictures}")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    x, restored, metadata = torch.load(pictures)
    network = build_network(load_checkpoint(weights).network).eval()
    load_into(network, load_checkpoint(weights))
    with torch.no_grad():
        torch.testing.assert_close(restored, network(x), atol=1e-5, rtol=0)
    assert json.loads(metadata)["sizes"] == sizes


def test_safetensors_rebuild_the_network(tmp_path: Path, weights: Path) -> None:
    assert main([str(weights), "-o", str(tmp_path / "out.safetensors")]) == 0
    loaded, given = load_checkpoint(tmp_path / "out.safetensors"), load_checkpoint(weights)
    assert loaded.network == given.network
    torch.testing.assert_close(loaded.params, given.params)


def test_a_file_that_would_restore_otherwise_is_not_written(
    tmp_path: Path, weights: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(export_module, "_compare", lambda *_: torch.full((5,), 2e-3))
    assert main([str(weights), "-o", str(tmp_path / "out.pt2"), "--tile", "8"]) == 2
    assert "not written, its result differs by up to 2.0e-03" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth"]


@pytest.mark.parametrize("options", ["{type: RAMiT", "RAMiT", ""])
def test_options_that_are_no_mapping_are_refused(capsys, options: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["w.pth", "-o", "x.pt2", "--network", options])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"--network: received {options!r}" in said
    assert "cannot be read" in said or "; a mapping such as" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.tflite"], "x.tflite: suffix must be one of .onnx, .pt2, .safetensors"),
        (["-o", "old.pt2"], "old.pt2 exists; --overwrite replaces it"),
        (["-o", "x.pt2", "--tile", "0"], "tile=0 must be at least 1 pixel"),
        (["-o", "x.pt2", "--k", "0"], "k=0 must be at least 1"),
        (["-o", "x.safetensors", "--k", "5"], "tile and k are of .onnx and .pt2"),
        (["-o", "gone/x.safetensors"], "gone/x.safetensors: no such folder, gone"),
        (["-o", "x.pt2", "--network", "{type: Restormers}"], "did you mean 'Restormer'"),
        (["-o", "x.pt2", "--network", "{type: Restormer, dim: 8}"], "do not fit Restormer"),
    ],
)
def test_what_cannot_be_exported_is_one_message(
    tmp_path: Path, weights: Path, arguments: list[str], message: str, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.pt2").touch()
    assert main([str(weights), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.pt2", "w.pth"]


def test_a_file_that_does_not_name_its_network_says_how_to(tmp_path: Path, capsys) -> None:
    network = save(tmp_path / "w.pth", "RAMiT")
    torch.save(network.state_dict(), tmp_path / "official.pth")
    assert main([str(tmp_path / "official.pth"), "-o", str(tmp_path / "x.pt2")]) == 2
    error = capsys.readouterr().err
    assert "a bare state dict, with the names of RAMiT's authors" in error
    assert "--network '{type: RAMiT, task: low_light}'" in error


@pytest.mark.parametrize("name", ["x.onnx", "X.ONNX"])
def test_missing_packages_are_named_with_their_extra(
    tmp_path: Path, weights: Path, name: str, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(export_module.onnx_graph, "find_spec", lambda _: None)
    assert main([str(weights), "-o", str(tmp_path / name)]) == 2
    assert (
        "needs onnx and onnxscript: pip install 'semanir-arch[export]'" in capsys.readouterr().err
    )
