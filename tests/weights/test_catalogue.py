"""What the package ships: found by task, described honestly, and better than doing nothing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from skimage import data as photographs

from semanir_arch.archs import build_network
from semanir_arch.data import DATASETS
from semanir_arch.data.files.image_io import write_image
from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.tasks import NETWORK_TASKS, get_task
from semanir_arch.utils.checkpoint import load_checkpoint, load_into
from semanir_arch.utils.options import resolve
from semanir_arch.utils.shipped import renamed
from semanir_arch.utils.tensor_file import read_tensors
from semanir_arch.weights import available, find
from semanir_arch.weights.catalogue import FOLDER
from tests.each import each
from tests.helpers import ROOT

LIMIT = 40 * 10**6


@pytest.fixture
def folder(tmp_path):
    """Shipped files of one task, as far as the catalogue looks at them."""
    (tmp_path / "jpeg.safetensors").write_bytes(b"")
    training = {"minutes": 12.4, "hardware": "a computer", "iterations": 3456}
    score = {"dataset": "LIVE1", "level": "quality 10", "protocol": "jpeg_color"}
    record = {
        "parameters": 7,
        "training": training,
        "scores": [{**score, "psnr": 26.5, "ssim": 0.8, "psnr_input": 25.7}],
    }
    (tmp_path / "jpeg.json").write_text(json.dumps(record))
    return tmp_path


def test_networks_for_colour_may_be_called_so(folder):
    assert find("jpeg_color", folder).path == find("jpeg", folder).path
    assert get_task("denoise_color") is NETWORK_TASKS["denoise"]


def test_a_task_is_found_with_what_is_known_of_it(folder):
    found = find("jpeg", folder)
    assert found.path == folder / "jpeg.safetensors"
    assert found.parameters == 7
    assert found.scores[0].psnr == 26.5
    assert found.origin == ("trained by this project: 12 minutes on a computer, 3,456 iterations")
    assert [entry.task.name for entry in available(folder)] == ["jpeg"]


def test_the_origin_counts_all_trainings(folder):
    file = folder / "jpeg.json"
    record = json.loads(file.read_text())
    earlier = {"minutes": 7.6, "hardware": "a computer", "iterations": 1000}
    file.write_text(json.dumps({**record, "earlier_trainings": [earlier]}))
    assert find("jpeg", folder).origin == (
        "trained by this project: 20 minutes on a computer, 4,456 iterations"
    )


def test_weights_without_a_record_are_not_shipped(folder):
    (folder / "jpeg.json").unlink()
    assert available(folder) == []
    with pytest.raises(FileNotFoundError):
        find("jpeg", folder)


def test_an_unknown_task_names_those_that_exist(folder):
    said = r"'jpg' is unknown; did you mean 'jpeg'\? available: denoise"
    with pytest.raises(ValueError, match=said):
        find("jpg", folder)


@pytest.mark.parametrize("task", [3, ["jpeg"], NETWORK_TASKS["jpeg"]], ids=["int", "list", "Task"])
def test_a_task_that_is_no_text_is_refused(folder, task):
    with pytest.raises(TypeError, match=f"{type(task).__name__}; the name of a task is needed"):
        find(task, folder)


def test_a_task_without_weights_says_how_to_train_it(folder):
    with pytest.raises(FileNotFoundError, match=r"shipped: jpeg.*weights train denoise"):
        find("denoise", folder)


def test_the_catalogue_needs_neither_torch_nor_basicsr():
    code = (
        "import sys, semanir_arch.weights as w; w.available(); "
        "sys.exit(bool({'torch', 'basicsr'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_task_that_can_be_trained_can_be_tested():
    leaves = [*(ROOT / "options" / "shipped").glob("*.yml")]
    assert {path.stem for path in leaves} == NETWORK_TASKS.keys()
    for leaf in leaves:
        assert "train" in resolve(leaf).options
        assert "train" not in resolve(leaf, role="test").options


def test_shipped_files_are_complete_and_small():
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".safetensors", ".json")}
    names = {entry.task.name for entry in available()}
    assert files == {f"{name}{suffix}" for name in names for suffix in (".safetensors", ".json")}
    assert sum((FOLDER / name).stat().st_size for name in files) < LIMIT


@each("shipped", available)
def test_a_record_says_how_the_weights_came_about(shipped):
    record, training = shipped.record, shipped.record["training"]
    assert record["task"] == shipped.task.name
    # records keep the names that files had when the weights were trained
    assert renamed(ROOT / training["option_file"]).is_file()
    photographs = renamed(ROOT / training["data"]["list"]).read_text().splitlines()
    assert training["data"]["images"] == sum(not line.startswith("#") for line in photographs)
    assert len(record["log"]) >= training["iterations"] // 1000
    assert {"hardware", "precision", "seed", "started_from", "versions"} <= training.keys()
    assert training["iterations"] > 0
    assert training["minutes"] > 0
    assert record["validation"]
    assert shipped.scores
    python, script, flag, leaf, *_ = record["scored"]["command"].split()
    assert (python, script, flag) == ("python", "test.py", "-opt")
    assert renamed(ROOT / leaf) == ROOT / "options" / "shipped" / f"{shipped.task.name}.yml"


@each("shipped", available)
def test_the_weights_are_half_precision_and_describe_themselves(shipped):
    params, content = read_tensors(shipped.path)
    assert {value.dtype for value in params.values()} == {torch.float16}
    assert sum(value.numel() for value in params.values()) == shipped.parameters
    assert content["network_g"] == shipped.record["network"]
    assert content["metadata"]["task"] == shipped.task.name


@each("shipped", available)
def test_the_network_restores_a_photograph_it_never_saw(shipped, tmp_path):
    """Better than the input or its bicubic enlargement, on average: some damage is drawn."""
    for part in range(4):
        left = 40 + 60 * part
        write_image(tmp_path / f"{part}.png", photographs.chelsea()[60:156, left : left + 96])
    options = resolve(
        ROOT / "options" / "shipped" / f"{shipped.task.name}.yml", role="test"
    ).options
    blocks = list(options["datasets"].values())
    # of real pairs there are no more than the test set
    block = next((entry for entry in blocks if "dataroot_lq" not in entry), blocks[0])
    scale = options.get("scale", 1)
    # the published inputs of a benchmark are files; for another photograph they are made
    kind = DATASETS.get(block["type"], DATASETS["BicubicSRDataset"])
    changed = {"phase": "test", "dataroot_gt": str(tmp_path), "scale": scale}
    network = build_network(shipped.record["network"]).eval()
    load_into(network, load_checkpoint(shipped.path))
    protocol = PROTOCOLS[options["val"]["protocol"]]
    gains = []
    data = kind({**block, **changed})
    for index in range(len(data)):
        given, truth = data[index]["lq"], data[index]["gt"]
        with torch.inference_mode():
            restored = network(given[None])[0]
        if scale > 1:
            given = F.interpolate(given[None], scale_factor=scale, mode="bicubic")[0]
        before, after = (protocol.evaluate(x, truth, scale)["psnr"] for x in (given, restored))
        gains.append(after - before)
    assert statistics.fmean(gains) > 0.3, gains
