"""Each repair of BasicSR: the defect on plain BasicSR, and the same with the repair."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
import math
import multiprocessing
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from semanir_arch import host

ROOT = Path(__file__).parents[1]
LOGGER = logging.getLogger("test")

FORK = multiprocessing.get_context("fork")

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="shows what fails without a GPU")

PLAIN = """
name: plain
model_type: SRModel
scale: 2
num_gpu: auto
manual_seed: 1
datasets:
  train:
    name: train
    type: PairedImageDataset
    dataroot_gt: gt
    dataroot_lq: lq
    io_backend: {type: disk}
    gt_size: 8
    use_hflip: true
    use_rot: true
    batch_size_per_gpu: 2
    num_worker_per_gpu: 0
    prefetch_mode: cuda
    pin_memory: true
network_g: {type: SRVGGNetCompact, num_feat: 2, num_conv: 1, upscale: 2}
path: {pretrain_network_g: null, resume_state: null, param_key_g: params_ema}
train:
  total_iter: 8
  optim_g: {type: Adam, lr: 0.001}
  scheduler: {type: MultiStepLR, milestones: [5]}
  pixel_opt: {type: L1Loss}
logger: {print_freq: 100, save_checkpoint_freq: 3, use_tb_logger: false}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Working folder with five image pairs, 16 and 8 pixels wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})
    for name, size in (("gt", 16), ("lq", 8)):
        (tmp_path / name).mkdir()
        for index in range(5):
            image = np.random.default_rng(index).integers(0, 255, (size, size, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{index}.png"), image)
    yield tmp_path
    logging.getLogger("basicsr").handlers.clear()


def run(folder, text=PLAIN, **settings):
    pipeline = host.Pipeline(folder, "plain.yml", text, **settings)
    pipeline.train()
    return pipeline


def test_the_module_that_torchvision_removed_is_given_back(monkeypatch):
    """As reported in BasicSR #533."""
    name = "torchvision.transforms.functional_tensor"
    source = importlib.util.find_spec("basicsr").submodule_search_locations[0]
    assert f"from {name} import" in (Path(source) / "data" / "degradations.py").read_text()
    monkeypatch.delitem(sys.modules, name, raising=False)
    host.prepare()
    image = torch.rand(3, 2, 2)
    gray = importlib.import_module(name).rgb_to_grayscale(image)
    weights = torch.tensor([0.2989, 0.587, 0.114])
    torch.testing.assert_close(gray[0], torch.einsum("c,chw->hw", weights, image))
    host.prepare()


@pytest.mark.parametrize(
    "error", [RuntimeError("operator torchvision::nms does not exist"), ImportError("no module")]
)
def test_a_broken_torchvision_gives_one_message(monkeypatch, error):
    """As reported in torchvision #8985."""

    def fail(_):
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(host.HostError, match=re.escape(f"imported ({error})")):
        host.prepare()


def test_a_python_without_distutils_can_compare_versions(monkeypatch):
    arch_util = inspect.getsource(host.load("basicsr.archs.arch_util"))
    assert "from distutils.version import LooseVersion" in arch_util
    monkeypatch.setitem(sys.modules, "distutils", None)
    monkeypatch.setitem(sys.modules, "distutils.version", None)
    host.prepare()
    version = importlib.import_module("distutils.version").LooseVersion
    assert version("0.26.0") >= version("0.9.0")


def test_another_package_called_basicsr_is_recognised(tmp_path, monkeypatch):
    """Restormer, among others, keeps an edited copy that lacks these names."""
    (tmp_path / "basicsr" / "utils").mkdir(parents=True)
    (tmp_path / "basicsr" / "__init__.py").write_text("raise SystemExit('was imported')")
    monkeypatch.delitem(sys.modules, "basicsr", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(host.HostError, match=f"basicsr in {tmp_path}/basicsr is not BasicSR"):
        host.prepare()


def test_a_missing_basicsr_is_told_with_the_way_to_install_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "basicsr", raising=False)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "basicsr" else found(name)
    )
    with pytest.raises(host.HostError, match=r"not installed.*--no-build-isolation"):
        host.prepare()


@pytest.mark.slow
def test_basicsr_can_be_imported_after_the_plugin():
    code = "import semanir_arch.plugin, basicsr.train; assert basicsr.archs.build_network"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_training_runs_to_its_last_iteration(folder):
    """As reported in HAT #114.

    Five images in batches of two: BasicSR counts three iterations per pass, the loader gives two.
    """
    train = host.load("basicsr.train")
    options = folder_options(folder, total_iter=60)
    loader, _, _, last_pass, total = train.create_train_val_dataloader(options, LOGGER)
    assert (last_pass + 1) * len(loader) == 42 < total == 60

    model = run(folder, PLAIN.replace("total_iter: 8", "total_iter: 7")).model
    assert model.schedulers[0].last_epoch == 6


def folder_options(folder, total_iter=8, batch=2):
    """Options as BasicSR completes them, for its own functions."""
    dataset = {
        "name": "train",
        "phase": "train",
        "type": "PairedImageDataset",
        "dataroot_gt": str(folder / "gt"),
        "dataroot_lq": str(folder / "lq"),
        "io_backend": {"type": "disk"},
        "batch_size_per_gpu": batch,
        "num_worker_per_gpu": 0,
    }
    return {
        "datasets": {"train": dataset},
        "num_gpu": 0,
        "dist": False,
        "world_size": 1,
        "rank": 0,
        "manual_seed": 1,
        "train": {"total_iter": total_iter},
    }


def test_a_batch_that_cannot_be_filled_is_an_error(folder):
    with pytest.raises(ValueError, match="the 5 samples of a pass do not fill one batch of 6"):
        run(folder, PLAIN.replace("batch_size_per_gpu: 2", "batch_size_per_gpu: 6"))


def test_a_dataset_without_images_is_an_error(folder):
    for image in [*folder.glob("gt/*"), *folder.glob("lq/*")]:
        image.unlink()
    with pytest.raises(ValueError, match="datasets:train: train has no images"):
        run(folder)


@without_gpu
def test_training_resumes_without_a_gpu(folder):
    """As reported in BasicSR #107."""
    run(folder)
    states = folder / "experiments" / "plain" / "training_states"
    assert {state.name for state in states.iterdir()} == {"3.state", "6.state"}

    options = {"auto_resume": True, "name": "plain", "path": {}}
    with pytest.raises((RuntimeError, AssertionError), match=r"CUDA|NVIDIA"):
        host.load("basicsr.train").load_resume_state(options)

    (states / "6.state").touch()
    pipeline = run(folder, auto_resume=True)
    assert pipeline.model.opt["path"]["resume_state"] == str(states / "6.state")
    assert pipeline.model.opt["path"]["param_key_g"] == "params"
    assert pipeline.model.schedulers[0].last_epoch == 7


def test_files_cut_short_are_passed_over(folder, caplog):
    run(folder, PLAIN.replace("total_iter: 8", "total_iter: 9"))
    experiment = folder / "experiments" / "plain"
    (experiment / "training_states" / "9.state").write_bytes(b"")
    network = experiment / "models" / "net_g_6.pth"
    network.write_bytes(network.read_bytes()[:200])
    with caplog.at_level(logging.WARNING, logger="semanir_arch.host"):
        pipeline = run(folder, auto_resume=True)
    assert pipeline.model.opt["path"]["resume_state"].endswith("3.state")
    assert "9.state: cut short" in caplog.text
    assert "net_g_6.pth: cut short" in caplog.text


def test_without_a_usable_state_the_training_starts_again(folder):
    pipeline = run(folder, auto_resume=True)
    assert pipeline.model.schedulers[0].last_epoch == 7


def test_basicsr_is_left_as_it_was(folder):
    train, command = host.load("basicsr.train"), list(sys.argv)
    before = dict(vars(train))
    with pytest.raises(ValueError, match="do not fill"):
        run(folder, PLAIN.replace("batch_size_per_gpu: 2", "batch_size_per_gpu: 6"))
    assert vars(train) == before
    assert sys.argv == command


def test_the_experiment_gets_the_complete_options(folder):
    run(folder)
    copied = (folder / "experiments" / "plain" / "plain.yml").read_text()
    assert copied.endswith(PLAIN)


class RandomNumbers(Dataset):
    """Four numbers from NumPy's global generator."""

    def __len__(self):
        return 4

    def __getitem__(self, _):
        return np.random.rand()  # noqa: NPY002 - what BasicSR's datasets do


def two_passes(seed_worker):
    loader = DataLoader(RandomNumbers(), num_workers=1, worker_init_fn=seed_worker)
    return [[float(x) for x in loader] for _ in range(2)]


def test_every_pass_draws_new_random_numbers():
    plain = partial(host.load("basicsr.data").worker_init_fn, num_workers=1, rank=0, seed=1)
    first, second = two_passes(plain)
    assert first == second

    first, second = two_passes(partial(host.seed_worker, num_workers=1, rank=0, seed=1))
    assert first != second


@without_gpu
def test_processes_cannot_start_without_gpus_in_plain_basicsr(monkeypatch):
    """As reported in BasicSR #107."""
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ZeroDivisionError):
        host.load("basicsr.utils.dist_util")._init_dist_pytorch("nccl")


def train_as(rank, folder):
    # More threads would wait for those that the parent process had.
    torch.set_num_threads(1)
    logging.disable()
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="localhost", MASTER_PORT="29517")
    pipeline = host.Pipeline(folder, "x.yml", PLAIN, host.find_launcher(dict(os.environ)))
    pipeline.train()
    torch.save(pipeline.model.net_g.module.state_dict(), folder / f"rank{rank}.pth")


@without_gpu
def test_two_processes_train_one_network_without_gpus(folder):
    processes = [FORK.Process(target=train_as, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    first, second = (torch.load(folder / f"rank{rank}.pth") for rank in range(2))
    torch.testing.assert_close(first, second)


def test_a_process_that_torchrun_did_not_start_is_told_how(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="torchrun --nproc_per_node"):
        host._start_processes(lambda _: None, "pytorch")


@without_gpu
def test_slurm_without_gpus_is_refused():
    with pytest.raises(ValueError, match="slurm needs GPUs"):
        host._start_processes(lambda _: None, "slurm")


def test_torchrun_is_recognised():
    """As asked for in BasicSR #626."""
    started = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "LOCAL_RANK": "0"}
    assert host.find_launcher(started) == "pytorch"
    assert host.find_launcher({"HOME": "/root"}) == "none"


def test_number_of_passes_is_exact_after_a_resume(folder):
    pipeline = host.Pipeline(folder, "x.yml", PLAIN)
    pipeline._resumed = {"epoch": 7, "iter": 3}
    original = host.load("basicsr.train").create_train_val_dataloader
    result = pipeline._count_passes(original, folder_options(folder), LOGGER)
    assert result[3] == 7 + math.ceil((8 - 3) / 2) - 1
