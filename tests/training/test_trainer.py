"""A whole training: length, seed, folders, and the meaning of BasicSR's options."""

from __future__ import annotations

import inspect
import logging
import re

import pytest
import torch

from semanir_arch import host, plugin
from semanir_arch.data.files.image_io import write_image
from semanir_arch.runs.run import Run
from semanir_arch.training.trainer import Training
from semanir_arch.utils.checkpoint import load_state
from tests.helpers import make_image
from tests.training.trainings import (
    PLAIN,
    assert_same,
    merge,
    prepare,
    result,
    train,
    train_with_basicsr,
)

QUICK = merge(PLAIN, {"val": {"val_freq": 1000}, "logger": {"save_checkpoint_freq": 1000}})


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Trains in the working folder, and returns the model."""
    plugin.register()
    monkeypatch.chdir(prepare(tmp_path, {}))

    def train(*changes, auto_resume=False):
        monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})
        logging.getLogger("basicsr").handlers.clear()
        options = QUICK
        for change in changes:
            options = merge(options, change)
        training = Training(Run(tmp_path, "run.yml", options, auto_resume=auto_resume))
        training.train()
        return training.model

    return train


def taking(batch, total_iter, **block):
    block |= {"batch_size_per_gpu": batch}
    return {"datasets": {"train": block}, "train": {"total_iter": total_iter}}


def steps(model, optimizer=0):
    """Steps that the optimizer has really taken."""
    states = model.optimizers[optimizer].state_dict()["state"]
    return {int(state["step"]) for state in states.values()}


@pytest.mark.parametrize(("images", "batch", "expected"), [(10, 4, 42), (3, 16, 0)])
def test_basicsr_ends_early_without_a_word(monkeypatch, images, batch, expected):
    """As reported in HAT #114: it rounds the iterations of a pass up, its loader rounds down."""
    train = host.load("basicsr.train")
    monkeypatch.setattr(train, "build_dataset", lambda _: range(images))
    block = {"phase": "train", "batch_size_per_gpu": batch, "num_worker_per_gpu": 0}
    options = {
        "datasets": {"train": block},
        "num_gpu": 0,
        "dist": False,
        "world_size": 1,
        "rank": 0,
        "manual_seed": 1,
        "train": {"total_iter": 60},
    }
    loader, _, _, passes, total = train.create_train_val_dataloader(
        options, logging.getLogger("test")
    )
    assert (passes + 1) * len(loader) == expected < total == 60


@pytest.mark.parametrize(
    ("batch", "total_iter", "ratio"), [(2, 7, 1), (4, 13, 1), (5, 3, 1), (16, 6, 1), (3, 11, 7)]
)
def test_a_training_takes_exactly_the_steps_it_was_asked_for(run, batch, total_iter, ratio):
    assert steps(run(taking(batch, total_iter, dataset_enlarge_ratio=ratio))) == {total_iter}


def test_a_resumed_training_takes_exactly_the_steps_that_are_left(run):
    run(taking(2, 5))
    assert steps(run(taking(2, 12), auto_resume=True)) == {12}


def test_a_smaller_batch_after_a_resume_changes_the_data_and_not_the_length(run, tmp_path):
    run(taking(4, 5))
    model = run(taking(3, 9), auto_resume=True)
    assert steps(model) == {9}
    log = "".join(path.read_text() for path in (tmp_path / "experiments" / "run").glob("*.log"))
    assert (
        "saved with 4 samples per step. This run takes 3; the data continues with sample 20" in log
    )


def test_no_images_is_an_error(run, tmp_path):
    for path in [*tmp_path.glob("gt/*"), *tmp_path.glob("lq/*")]:
        path.unlink()
    with pytest.raises(ValueError, match="datasets:train: train has no images"):
        run()


def test_the_log_states_images_passes_batch_and_memory(run, tmp_path):
    run(taking(4, 10, dataset_enlarge_ratio=2))
    (log,) = (tmp_path / "experiments" / "run").glob("train_run_*.log")
    text = log.read_text()
    for line in (
        "Number of train images: 5",
        "Dataset enlarge ratio: 2",
        "Batch per step: 4",
        "Total epochs: 4.00; iters: 10.",
    ):
        assert line in text
    assert re.search(r"Memory after the first step: \d", text)


def test_folders_and_log_are_laid_out_as_in_basicsr(run, tmp_path):
    run({"logger": {"use_tb_logger": True}})
    experiment = tmp_path / "experiments" / "run"
    names = {path.name for path in experiment.iterdir()}
    (log,) = experiment.glob("train_run_*.log")
    assert names == {"models", "training_states", "visualization", "run.yml", ".lock", log.name}
    assert (experiment / "run.yml").read_text().startswith("# GENERATE TIME: ")
    assert [*(tmp_path / "tb_logger" / "run").glob("events.*")]
    logged = re.findall(r"INFO: (\[run\.\.\]\[epoch:.*)", log.read_text())
    assert len(logged) == 24
    form = r"\[run\.\.\]\[epoch:  \d, iter: +\d+, lr:\(1\.000e-0\d,\)\] \[eta: 0:00:0\d, "
    form += r"time \(data\): \d\.\d{3} \(\d\.\d{3}\)\] l_pix: \d\.\d{4}e-\d\d $"
    assert all(re.fullmatch(form, line) for line in logged)


def test_a_seed_that_is_left_open_stays_the_same_after_a_resume(run):
    """BasicSR draws a new one."""
    open_seed = {"manual_seed": None}
    first = run(open_seed, taking(2, 3))
    second = run(open_seed, taking(2, 6), auto_resume=True)
    assert second.opt["manual_seed"] == first.opt["manual_seed"]


def test_a_state_of_another_experiment_is_continued_by_name(run, tmp_path):
    run(taking(2, 4))
    state = tmp_path / "experiments" / "run" / "training_states" / "4.state"
    model = run(taking(2, 6), {"name": "other", "path": {"resume_state": str(state)}})
    assert steps(model) == {6}
    assert (tmp_path / "experiments" / "other" / "training_states" / "6.state").is_file()


def test_a_training_that_plain_basicsr_saved_is_continued(run, tmp_path):
    """Its states have no manifest; without a GPU it cannot continue them itself (BasicSR #107)."""
    run(taking(2, 4))
    experiment = tmp_path / "experiments" / "run"
    state = load_state(experiment / "training_states" / "4.state")
    (experiment / "training_states" / "4.json").unlink()
    assert state.keys() == {"epoch", "iter", "optimizers", "schedulers"}
    if not torch.cuda.is_available():
        options = {"auto_resume": True, "name": "run", "path": {}}
        with pytest.raises((RuntimeError, AssertionError), match=r"CUDA|NVIDIA"):
            inspect.unwrap(host.load("basicsr.train").load_resume_state)(options)
    assert steps(run(taking(2, 6), auto_resume=True)) == {6}


def test_what_continues_is_the_trained_network_and_not_its_average(run):
    averaged = {"path": {"param_key_g": "params_ema"}}
    whole = run(averaged, taking(2, 5))
    run(averaged, taking(2, 4))
    again = run(averaged, taking(2, 5), auto_resume=True)
    for network in ("net_g", "net_g_ema"):
        assert_same(getattr(again, network).state_dict(), getattr(whole, network).state_dict())


def rates(run, train, total_iter):
    """Learning rate of every iteration, in our loop."""
    seen = []
    model = host.load("basicsr.models.sr_model").SRModel
    with pytest.MonkeyPatch.context() as patch:
        step = model.optimize_parameters
        patch.setattr(
            model,
            "optimize_parameters",
            lambda self, iteration: (
                seen.append(self.get_current_learning_rate()[0]),
                step(self, iteration),
            ),
        )
        run({"train": train | {"total_iter": total_iter}})
    return seen


@pytest.mark.parametrize(
    "scheduler",
    [
        {"type": "MultiStepLR", "milestones": [4, 7], "gamma": 0.5},
        {"type": "CosineAnnealingRestartLR", "periods": [5, 5], "restart_weights": [1, 0.5]},
    ],
)
@pytest.mark.parametrize("warmup", [-1, 3])
def test_the_schedule_of_basicsr_has_its_own_meaning(run, scheduler, warmup):
    """The same rates as its model gives when it is called in the order of its own loop."""
    train = {"scheduler": scheduler, "warmup_iter": warmup}
    ours = rates(run, train, total_iter=10)
    base = host.load("basicsr.models.base_model").BaseModel(
        {"num_gpu": 0, "is_train": True, "train": {"scheduler": dict(scheduler)}}
    )
    base.optimizers = [torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=0.001)]
    base.setup_schedulers()
    plain = []
    for iteration in range(1, 11):
        base.update_learning_rate(iteration, warmup_iter=warmup)
        plain.append(base.get_current_learning_rate()[0])
        base.optimizers[0].step()
    assert ours == plain


WITHOUT_CHANCE = {
    "datasets": {
        "train": {
            "gt_size": 32,
            "use_hflip": False,
            "use_rot": False,
            "batch_size_per_gpu": 1,
            "dataset_enlarge_ratio": 1,
        }
    },
    "train": {
        "total_iter": 20,
        "warmup_iter": 5,
        "scheduler": {
            "type": "CosineAnnealingRestartLR",
            "periods": [12, 8],
            "restart_weights": [1, 0.5],
        },
    },
}


@pytest.mark.slow
def test_where_nothing_is_left_to_chance_the_numbers_are_those_of_basicsr(tmp_path):
    """One image, without a choice of patches: weights, states, log and files of its own loop."""
    options = merge(PLAIN, WITHOUT_CHANCE)
    results, files, logs = [], [], []
    for name, start in (("plain", train_with_basicsr), ("ours", train)):
        folder = prepare(tmp_path / name, options)
        for path in [*folder.glob("?[qt]/[1-4].png")]:
            path.unlink()
        for kind, size in (("gt", 32), ("lq", 16)):
            write_image(folder / kind / "0.png", make_image((size, size, 3)))
        assert start(folder) == 0
        results.append(result(folder))
        names = {str(path.relative_to(folder)) for path in folder.glob("experiments/run/*/*")}
        files.append({name for name in names if not name.endswith(".json")})
        (log,) = folder.glob("experiments/run/train_run_*.log")
        lines = re.findall(r"INFO: (\[run.*?\)\] )\[.*?\] (.*)", log.read_text())
        logs.append(lines)
    plain, ours = results
    # beside them, ours name the network that they belong to
    assert_same(*({name: file["params"] for name, file in r.weights.items()} for r in results))
    assert_same(ours.state["optimizers"], plain.state["optimizers"])
    assert_same(ours.state["schedulers"], plain.state["schedulers"])
    assert logs[0] == logs[1]
    assert len(logs[0]) == 20
    assert files[0] == files[1]
    assert (ours.scores[8], ours.scores[16]) == (plain.scores[8], plain.scores[16])
    # BasicSR counts one iteration more before it validates for the last time.
    assert "21 iter" in plain.scores[20]
    assert ours.scores[20] == plain.scores[20].replace("21 iter", "20 iter")


GAN = {
    "model_type": "SRGANModel",
    "network_d": {"type": "VGGStyleDiscriminator", "num_in_ch": 3, "num_feat": 2},
    "datasets": {"train": {"gt_size": 128}},
    "train": {
        "total_iter": 4,
        "optim_d": {"type": "Adam", "lr": 0.001},
        "gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "loss_weight": 0.1},
        "net_d_iters": 1,
        "net_d_init_iters": 0,
    },
    "logger": {"save_checkpoint_freq": 2},
}


@pytest.mark.parametrize("model_type", ["SRGANModel", "ESRGANModel"])
def test_two_networks_of_basicsr_train_and_resume_to_the_same_bits(run, tmp_path, model_type):
    for index in range(3):
        write_image(tmp_path / "large" / "gt" / f"{index}.png", make_image((130, 130, 3)))
        write_image(tmp_path / "large" / "lq" / f"{index}.png", make_image((65, 65, 3)))
    block = {"dataroot_gt": "large/gt", "dataroot_lq": "large/lq", "batch_size_per_gpu": 2}
    options = merge(GAN, {"model_type": model_type, "datasets": {"train": block}})
    whole = run(options)
    saved = tmp_path / "experiments" / "run"
    assert {path.name for path in (saved / "models").iterdir()} == {
        f"net_{network}_{label}.pth" for network in "gd" for label in ("2", "4", "latest")
    }
    for path in [*saved.rglob("*4.*"), *saved.rglob("*latest*")]:
        path.unlink()
    again = run(options, auto_resume=True)
    for network in ("net_g", "net_d", "net_g_ema"):
        assert_same(getattr(again, network).state_dict(), getattr(whole, network).state_dict())
    assert steps(again, optimizer=0) == steps(again, optimizer=1) == {4}
