"""BasicSR's own pipelines as the host: a training is trained, killed, resumed and tested.

One process has BasicSR imported and forks for every pipeline, which then runs as from the command
line. The plugin comes last, when all names of the pipelines are bound; that it may come first is
what every other test shows, and `test_the_order_of_imports_does_not_matter`.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import semanir_arch.plugin  # noqa: F401 - prepares BasicSR
from semanir_arch.data.files.image_io import write_image
from semanir_arch.host import load
from semanir_arch.runs.run import Run
from semanir_arch.training import plain
from semanir_arch.training.plain import check
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.options import OptionError, to_yaml
from tests.helpers import TINY_UNET, make_image

ROOT = Path(__file__).parents[2]

TWO_WINDOWS = TINY_UNET | {
    "widths": [8, 8],
    "depths": [1, 1],
    "num_heads": [2, 2],
    "window_size": [8, 4],
}

DATA = {
    "name": "set",
    "type": "PairedImageDataset",
    "dataroot_gt": "gt",
    "dataroot_lq": "lq",
    "io_backend": {"type": "disk"},
}

TRAIN: dict[str, Any] = {
    "name": "run",
    "model_type": "RestorationModel",
    "scale": 1,
    "num_gpu": 0,
    "manual_seed": 1,
    "datasets": {
        "train": DATA
        | {"gt_size": 16, "use_hflip": True, "use_rot": True}
        | {"batch_size_per_gpu": 1, "num_worker_per_gpu": 0, "dataset_enlarge_ratio": 4},
        "val": DATA,
    },
    "network_g": TWO_WINDOWS,
    "path": {"pretrain_network_g": None, "resume_state": None},
    "train": {
        "total_iter": 6,
        "ema_decay": 0.9,
        "optim_g": {"type": "Adam", "lr": 0.001},
        "scheduler": {"type": "MultiStepLR", "milestones": [4]},
        "pixel_opt": {"type": "L1Loss"},
    },
    "val": {
        "val_freq": 4,
        "save_img": False,
        "metrics": {"psnr": {"type": "calculate_psnr", "crop_border": 0, "test_y_channel": False}},
    },
    "logger": {"print_freq": 1, "save_checkpoint_freq": 2, "use_tb_logger": False},
}

GAN = {
    "network_d": {"type": "UNetDiscriminatorSN", "num_in_ch": 3, "num_feat": 2},
    "train": {
        "optim_d": {"type": "Adam", "lr": 0.001},
        "gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "loss_weight": 0.1},
        "net_d_iters": 1,
        "net_d_init_iters": 0,
    },
}

MODELS: dict[str, dict[str, Any]] = {
    "RestorationModel": {},
    "SRModel": {},
    "SwinIRModel": {},
    "SRGANModel": GAN,
    "ESRGANModel": GAN,
}

DRIVER = """
import os, signal, sys
from semanir_arch import host
host.prepare()
import basicsr.train, basicsr.test
import semanir_arch.plugin

def killed(model, number):
    save = model.save
    def stop(epoch, iteration):
        save(epoch, iteration)
        if iteration == number:
            os.kill(os.getpid(), signal.SIGKILL)
    model.save = stop
    return model

def run(folder, pipeline, arguments, kill):
    os.chdir(folder)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1); os.dup2(output, 2)
    sys.argv = ["script.py", *arguments]
    if kill:
        build = basicsr.train.build_model
        basicsr.train.build_model = lambda opt: killed(build(opt), kill)
    (basicsr.train.train_pipeline if pipeline == "train" else basicsr.test.test_pipeline)(folder)

import json
for folder, pipeline, arguments, kill in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run(folder, pipeline, arguments, kill)
            code = 0
        except BaseException:
            import traceback; traceback.print_exc()
        finally:
            sys.stderr.flush(); os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def merged(base, more):
    result = copy.deepcopy(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def prepare(folder, model):
    """A folder with images and the option files of a training and a test."""
    for kind, seed in (("gt", 0), ("lq", 1)):
        for name in ("a", "b"):
            write_image(folder / kind / f"{name}.png", make_image((19, 22, 3), seed=seed))
    train = merged(TRAIN, {"model_type": model, **MODELS[model]})
    (folder / "train.yml").write_text(to_yaml(train))
    test = {key: train[key] for key in ("name", "model_type", "scale", "num_gpu", "network_g")}
    if "network_d" in train:
        test["network_d"] = train["network_d"]
    weights = folder / "experiments" / "run" / "models" / "net_g_latest.pth"
    test |= {"path": {"pretrain_network_g": str(weights), "param_key_g": "params_ema"}}
    test |= {"datasets": {"test": DATA}, "val": TRAIN["val"] | {"suffix": None}}
    (folder / "test.yml").write_text(to_yaml(test))


def steps(folder, kill_at=4):
    """Train until a kill, resume, test."""
    train, again = ["-opt", "train.yml"], ["-opt", "train.yml", "--auto_resume"]
    return [
        (str(folder), "train", train, kill_at),
        (str(folder), "train", again, 0),
        (str(folder), "test", ["-opt", "test.yml"], 0),
    ]


def drive(jobs):
    """Exit codes of the pipelines."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", DRIVER, json.dumps(jobs)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    """Folder of each model, and exit codes of its three pipelines."""
    folders = {}
    for model in MODELS:
        folders[model] = tmp_path_factory.mktemp(model)
        prepare(folders[model], model)
    codes = drive([step for folder in folders.values() for step in steps(folder)])
    return {
        model: (folder, codes[3 * number : 3 * number + 3])
        for number, (model, folder) in enumerate(folders.items())
    }


@pytest.mark.slow
def test_a_killed_training_is_resumed_and_tested(hosted):
    for model, (folder, codes) in hosted.items():
        output = (folder / "output.txt").read_text()
        assert codes == [-9, 0, 0], f"{model}:\n{output}"
        assert "iter: 4." in output, model
        experiment = folder / "experiments" / "run"
        for number in (2, 4, 6):
            state = load_state(experiment / "training_states" / f"{number}.state")
            assert state["iter"] == number, model
            steps_done = {int(s["step"]) for s in state["optimizers"][0]["state"].values()}
            assert steps_done == {number}, model
        assert (experiment / "models" / "net_g_latest.pth").is_file(), model
        log = next((folder / "results" / "run").glob("test_*.log")).read_text()
        assert "# psnr: " in log, model


def test_the_order_of_imports_does_not_matter(opt):
    repaired = load("basicsr.train").load_resume_state
    assert repaired.__wrapped__.__module__ == "basicsr.train"
    assert repaired(opt()) is None
    assert type(load("basicsr.models").build_model(opt())).__name__ == "RestorationModel"
    plain.install()
    assert load("basicsr.train").load_resume_state is repaired


def test_unusable_states_are_passed_over_and_told(tmp_path, capsys):
    states, models = tmp_path / "training_states", tmp_path / "models"
    states.mkdir()
    models.mkdir()
    for number in (2, 4):
        torch.save({"iter": number, "epoch": 0}, states / f"{number}.state")
        torch.save({"params": {}}, models / f"net_g_{number}.pth")
    (states / "4.state").write_bytes(b"PK cut short")
    path = {"experiments_root": str(tmp_path), "resume_state": None, "param_key_g": "params_ema"}
    opt = {"auto_resume": True, "path": {**path}, "network_g": {}}
    assert plain.load_resume_state(opt) == {"iter": 2, "epoch": 0}
    assert opt["path"]["pretrain_network_g"] == str(models / "net_g_2.pth")
    assert opt["path"]["param_key_g"] == "params"
    assert "4.state" in capsys.readouterr().err
    assert plain.load_resume_state(opt | {"auto_resume": False, "path": path}) is None


@pytest.fixture
def opt(tmp_path, monkeypatch):
    """Options of a training as BasicSR's parser hands them to a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "-opt", "train.yml"])

    def parse(**changes):
        Path("train.yml").write_text(to_yaml(merged(TRAIN, changes)))
        return load("basicsr.utils.options").parse_options(str(tmp_path), is_train=True)[0]

    return parse


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network_d": {"type": "X"}}, r"train\.yml:\d+: network_d: RestorationModel has no such"),
        ({"train": {"gan_opt": {"type": "GANLoss"}}}, r"yml:\d+: train:gan_opt: unknown key"),
        ({"train": {"ema_decy": 0.9}}, "train:ema_decy: unknown key; did you mean 'ema_decay'"),
        ({"logger": {"keep_state": 3}}, "logger:keep_state: .*did you mean 'keep_states'"),
        ({"network_g": {"windowsize": 3}}, "network_g:windowsize: .*did you mean 'window_size'"),
        ({"train": {"optim_g": {"lr": "2e-4"}}}, "train:optim_g:lr: received '2e-4'; expected"),
    ],
)
def test_a_model_of_ours_refuses_what_it_would_ignore(opt, changes, message):
    options = opt(**changes)
    with pytest.raises(OptionError, match=message):
        load("basicsr.models").build_model(options)


def test_good_options_are_accepted_and_others_of_the_engine_are_named(opt, caplog):
    check(opt())
    assert caplog.text == ""
    more = {"progressive": [{"iters": 6, "batch_size_per_gpu": 1, "patch_size": 8}]}
    check(opt(logger={"keep_states": 2}, datasets={"train": more}, use_shuffle=True))
    assert "ignores logger:keep_states, datasets:train:progressive" in caplog.text
    assert "`python train.py -opt train.yml`" in caplog.text
    assert "use_shuffle: unknown key" in caplog.text


def test_within_the_engine_nothing_is_judged_twice(opt, monkeypatch):
    monkeypatch.setattr(sys.modules["semanir_arch.host"]._Judge, "check", lambda _: 1 / 0)
    parsed = opt()
    with pytest.raises(ZeroDivisionError):
        load("basicsr.models").build_model(parsed)
    run = Run(Path.cwd(), "train.yml", TRAIN)
    with run.opened(is_train=True) as options:
        load("basicsr.models").build_model(options)
