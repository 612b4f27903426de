"""Each repair of BasicSR: the defect on plain BasicSR, and the same with the repair."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import nn

from semanir_arch import host
from semanir_arch.runs.run import Run
from semanir_arch.utils.options import to_yaml

ROOT = Path(__file__).parents[1]
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="shows what fails without a GPU")


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
    with pytest.raises(host.HostError, match=r"not installed.*semanir_arch\.doctor --repair"):
        host.prepare()


@pytest.mark.slow
def test_basicsr_can_be_imported_after_the_plugin():
    code = "import semanir_arch.plugin, basicsr.train; assert basicsr.archs.build_network"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


OPTIONS = {
    "name": "run",
    "model_type": "SRModel",
    "num_gpu": 0,
    "manual_seed": 1,
    "datasets": {"train": {"name": "train", "prefetch_mode": "cuda", "pin_memory": True}},
    "path": {"pretrain_network_g": None},
    "train": {"optim_g": {"lr": 2e-4}},
    "logger": {"print_freq": 1, "save_checkpoint_freq": 1},
}


def test_numbers_reach_basicsr_as_numbers(tmp_path, monkeypatch):
    (tmp_path / "plain.yml").write_text(to_yaml(OPTIONS).replace("0.0002", "2e-4"))
    monkeypatch.setattr(sys, "argv", ["train.py", "-opt", str(tmp_path / "plain.yml")])
    parse_options = host.load("basicsr.utils.options").parse_options
    options, _ = parse_options(str(tmp_path))
    assert options["train"]["optim_g"]["lr"] == "2e-4"

    with Run(tmp_path, "run.yml", OPTIONS).opened(is_train=True) as options:
        assert options["train"]["optim_g"]["lr"] == 2e-4
        assert options["path"]["experiments_root"] == str(tmp_path / "experiments" / "run")
        assert options["root_path"] == str(tmp_path)
    assert sys.argv[0] == "train.py"


def test_a_data_set_may_have_several_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    roots = {"dataroot_gt": ["~/a", "b"], "dataroot_lq": ["c", "~/d"]}
    options = copy.deepcopy(OPTIONS)
    options["datasets"]["train"] |= roots
    (tmp_path / "plain.yml").write_text(to_yaml(options))
    monkeypatch.setattr(sys, "argv", ["train.py", "-opt", str(tmp_path / "plain.yml")])
    parse_options = host.load("basicsr.utils.options").parse_options
    with pytest.raises(TypeError, match="not list"):
        parse_options(str(tmp_path))

    with Run(tmp_path, "run.yml", options).opened(is_train=True) as parsed:
        assert parsed["datasets"]["train"]["dataroot_gt"] == ["/home/me/a", "b"]
        assert parsed["datasets"]["train"]["dataroot_lq"] == ["c", "/home/me/d"]
        assert parsed["datasets"]["train"]["phase"] == "train"
    assert options["datasets"]["train"]["dataroot_gt"] == roots["dataroot_gt"]


def test_loader_settings_that_need_a_gpu_are_turned_off_without_one(tmp_path):
    with Run(tmp_path, "run.yml", OPTIONS).opened(is_train=True) as options:
        assert options["datasets"]["train"]["prefetch_mode"] is None
        assert options["datasets"]["train"]["pin_memory"] is False


@pytest.fixture
def model(tmp_path):
    """A model of BasicSR whose files cannot be written, because their folders do not exist."""
    folders = {name: str(tmp_path / "gone") for name in ("models", "training_states")}
    base = host.load("basicsr.models.base_model").BaseModel
    return base({"num_gpu": 0, "is_train": True, "rank": 0, "path": folders})


def test_a_file_that_cannot_be_written_is_an_error(tmp_path, model, monkeypatch):
    """BasicSR tries three times, logs that it will ignore it, and trains on."""
    monkeypatch.setattr(host.load("basicsr.models.base_model").time, "sleep", lambda _: None)
    model.save_network(nn.Identity(), "net_g", 1)
    model.save_training_state(0, 1)

    with Run(tmp_path, "run.yml", OPTIONS).opened(is_train=True):
        with pytest.raises(FileNotFoundError, match=r"net_g_1\.pth"):
            model.save_network(nn.Identity(), "net_g", 1)
        with pytest.raises(FileNotFoundError, match=r"1\.state"):
            model.save_training_state(0, 1)


def test_saved_files_are_those_of_basicsr(tmp_path, model):
    network = nn.Linear(2, 1)
    model.optimizers = [torch.optim.Adam(network.parameters())]
    saved = []
    for folder in ("plain", "ours"):
        (tmp_path / folder).mkdir()
        model.opt["path"] = dict.fromkeys(("models", "training_states"), str(tmp_path / folder))
        with ExitStack() as stack:
            if folder == "ours":
                run = Run(tmp_path, "run.yml", OPTIONS)
                stack.enter_context(run.opened(is_train=True))
            model.save_network([network, network], "net_g", -1, ["params", "params_ema"])
            model.save_training_state(3, 5)
            model.save_training_state(-1, -1)
        files = sorted((tmp_path / folder).iterdir())
        saved.append({file.name: torch.load(file, weights_only=True) for file in files})
    assert saved[0].keys() == {"5.state", "net_g_latest.pth"}
    torch.testing.assert_close(saved[0], saved[1])


def test_basicsr_is_left_as_it_was(tmp_path):
    owners = [host.load("basicsr.utils.options"), host.load("basicsr.models.base_model").BaseModel]
    before = [dict(vars(owner)) for owner in owners]
    run = Run(tmp_path, "run.yml", OPTIONS)
    with pytest.raises(ValueError, match="midst"), run.opened(is_train=True):
        raise ValueError("in the midst")
    assert [dict(vars(owner)) for owner in owners] == before


@without_gpu
def test_processes_cannot_start_without_gpus_in_plain_basicsr(monkeypatch):
    """As reported in BasicSR #107."""
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ZeroDivisionError):
        host.load("basicsr.utils.dist_util")._init_dist_pytorch("nccl")


def test_a_process_that_torchrun_did_not_start_is_told_how(monkeypatch, tmp_path):
    monkeypatch.delenv("RANK", raising=False)
    run = Run(tmp_path, "run.yml", OPTIONS, launcher="pytorch")
    with pytest.raises(ValueError, match="torchrun --nproc_per_node"), run.opened(is_train=True):
        pass


@without_gpu
def test_slurm_without_gpus_is_refused(tmp_path):
    run = Run(tmp_path, "run.yml", OPTIONS, launcher="slurm")
    with pytest.raises(ValueError, match="slurm needs GPUs"), run.opened(is_train=True):
        pass
