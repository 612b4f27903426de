"""test.py on sets whose clean images a server keeps: it writes what is uploaded."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from semanir_arch.commands.test import main
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.utils.options import to_yaml
from tests.data.benchmark_files import write_dnd, write_sidd
from tests.helpers import TINY_UNET, save_weights
from tests.small_runs import TEST

scipy_io = pytest.importorskip("scipy.io", reason="scipy comes with the extra train")


def prepare(work, name, root):
    """An option file for a network that changes nothing, and the folder of its results."""
    save_weights(work / "net.pth", TINY_UNET, identity=True)
    block = {"name": name, "type": "SubmissionDataset", "dataroot_lq": root}
    leaf = TEST | {
        "path": {"pretrain_network_g": "net.pth"},
        "datasets": {"test": block},
        "val": {"save_img": False, "protocol": None},
    }
    (work / "leaf.yml").write_text("_base_: [none.yml]\n" + to_yaml(leaf))
    return Path("results", TEST["name"], "visualization", name, "submission")


def test_restored_boxes_of_dnd_are_bundled_unrounded(work, capsys):
    (photograph,) = write_dnd(work / "DND", images=1)
    folder = prepare(work, "DND", "DND/info.mat")
    assert main(["-opt", "leaf.yml"]) == 0
    assert [path.name for path in (folder / "bundled").iterdir()] == ["0001.mat"]
    boxes = scipy_io.loadmat(folder / "bundled" / "0001.mat")["Idenoised"]
    for box in range(3):
        expected = photograph[2 * box :, 5 * box :][:24, :24]
        np.testing.assert_allclose(boxes[0, box], expected, atol=1e-6)
    assert "To be uploaded: 1 file in " in "".join(capsys.readouterr())


def test_an_interrupted_run_restores_the_other_blocks_only(work, monkeypatch):
    noisy = write_sidd(work, shape=(2, 2, 16, 12))
    folder = prepare(work, "SIDD", "BenchmarkNoisyBlocksSrgb.mat")
    original, restored = RestorationModel.test, []

    def test(model):
        if len(restored) == 3:
            raise KeyboardInterrupt
        restored.append(model.lq)
        original(model)

    monkeypatch.setattr(RestorationModel, "test", test)
    assert main(["-opt", "leaf.yml"]) == 130
    assert not (folder / "bundled").exists()
    monkeypatch.setattr(RestorationModel, "test", original)
    done = [path.stat().st_mtime_ns for path in sorted(folder.glob("*.mat"))]
    assert len(done) == 3
    assert main(["-opt", "leaf.yml"]) == 0
    assert [path.stat().st_mtime_ns for path in sorted(folder.glob("*.mat"))][:3] == done
    content = scipy_io.loadmat(folder / "bundled" / "SubmitSrgb.mat")
    for place in np.ndindex(2, 2):
        np.testing.assert_array_equal(content["DenoisedBlocksSrgb"][place], noisy[place])
    assert content["OptionalData"]["MethodName"][0, 0].tolist() == [TEST["name"]]
    assert content["TimeMPSrgb"].item() > 0


def test_a_missing_package_is_named_without_a_traceback(work, monkeypatch, capsys):
    write_dnd(work / "DND", images=1)
    prepare(work, "DND", "DND/info.mat")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert main(["-opt", "leaf.yml"]) == 2
    err = capsys.readouterr().err
    assert "files of DND need the package h5py: pip install 'semanir-arch[metrics]'" in err
    assert "Traceback" not in err
