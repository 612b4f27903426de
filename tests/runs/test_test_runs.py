"""Benchmarks: swept options, interrupted runs, and what may be used again."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from semanir_arch import host
from semanir_arch.bridges.converting import convert
from semanir_arch.commands.test import main
from semanir_arch.data.files.image_io import write_image
from semanir_arch.evaluation.records import RecordFile
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.runs import test_run as testing
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.options import to_yaml
from tests.helpers import TINY_UNET, make_image, save_weights
from tests.processes import needs_fork, run_processes
from tests.small_runs import TEST

IMAGES = 5

LEAF = TEST | {
    "name": "run_sigma${sigma}",
    "vars": {"sigma": 25},
    "path": {"pretrain_network_g": "net.pth"},
    "datasets": {
        "test": TEST["datasets"]["test"] | {"sigma": "${sigma}"},
        "test_2": TEST["datasets"]["test"] | {"name": "b", "dataroot_gt": "others", "sigma": 10},
    },
}


@pytest.fixture
def bench(work, monkeypatch):
    """Two sets, of five images and of one, weights, and an option file with a level."""
    monkeypatch.setattr(testing, "_EXAMPLES", 4)
    shutil.rmtree(work / "images")
    for index in range(IMAGES):
        write_image(work / "images" / f"{index}.png", make_image((13 + index, 20, 3), seed=index))
    write_image(work / "others" / "x.png", make_image((14, 12, 3), seed=9))
    torch.manual_seed(5)
    save_weights(work / "net.pth", TINY_UNET)
    write(work, LEAF)
    return work


def write(work, leaf):
    (work / "leaf.yml").write_text("_base_: [none.yml]\n" + to_yaml(leaf))


@pytest.fixture
def counted(monkeypatch):
    """How many images are restored."""
    calls, original = [], RestorationModel.test

    def count(model):
        calls.append(model.opt["name"])
        original(model)

    monkeypatch.setattr(RestorationModel, "test", count)
    return calls


def run(*arguments):
    host.load("basicsr.utils.logger").initialized_logger.clear()
    logging.getLogger("basicsr").handlers.clear()
    return main(["-opt", "leaf.yml", *arguments])


def read(name="run_sigma25"):
    return json.loads(Path("results", name, "report.json").read_text())


def scores(report):
    """Everything that was measured and does not depend on time."""
    return {
        (dataset["name"], *dataset["setting"].values()): [
            (image["image"], image["input"], image["output"]) for image in dataset["images"]
        ]
        for dataset in report["datasets"]
    }


def folders():
    return sorted(path.name for path in Path("results").iterdir())


def run_until_killed(_, number, arguments):
    """Kill this process with its `number`-th record on disk."""
    original, count = RecordFile.add, []

    def add(self, record):
        original(self, record)
        count.append(record)
        if len(count) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    RecordFile.add = add
    return run(*arguments)


@needs_fork
@pytest.mark.parametrize("number", [1, 4, 8])
def test_a_killed_run_continues_where_it_was(bench, counted, number):
    arguments = ["--sweep", "sigma=15,25"]
    (died,) = run_processes(1, run_until_killed, number, arguments)
    assert isinstance(died, EOFError)
    assert folders() == ["run_sigma15-25"]
    assert not Path("results/run_sigma15-25/report.json").exists()

    assert run(*arguments) == 0
    assert len(counted) == 2 * (IMAGES + 1) - number
    continued = read("run_sigma15-25")
    assert sum(dataset["reused"] for dataset in continued["datasets"]) == number
    log = max(Path("results/run_sigma15-25").glob("test_*.log")).read_text()
    assert f"a sigma=15: {min(number, IMAGES)} of {IMAGES} images were measured before" in log

    shutil.rmtree("results")
    assert run(*arguments) == 0
    assert scores(read("run_sigma15-25")) == scores(continued)


def run_until_first_record(_):
    """Kill this process when its first record would be written."""
    RecordFile.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    return run()


@needs_fork
def test_a_run_that_was_killed_before_its_first_record_continues_in_place(bench, counted):
    for _ in range(2):
        (died,) = run_processes(1, run_until_first_record)
        assert isinstance(died, EOFError)
        assert folders() == ["run_sigma25"]
    assert run() == 0
    assert folders() == ["run_sigma25"]
    assert len(counted) == IMAGES + 1
    assert not list(Path("results").rglob(".begun.json"))


@needs_fork
def test_what_another_test_left_is_moved_aside_also_without_records(bench):
    run_processes(1, run_until_first_record)
    save_weights(bench / "net.pth", TINY_UNET)
    assert run() == 0
    assert len(folders()) == 2


@needs_fork
def test_several_processes_continue_what_one_began(bench):
    run_processes(1, run_until_killed, 2, [])
    assert run_processes(3, run_in_process, []) == [0, 0, 0]
    continued = read()
    assert [dataset["reused"] for dataset in continued["datasets"]] == [2, 0]
    assert run_processes(1, run_in_process, ["--fresh"]) == [0]
    assert scores(read()) == scores(continued)


def run_in_process(_, arguments):
    return run(*arguments)


def test_a_finished_run_is_not_computed_again_unless_wished(bench, counted):
    assert run() == 0
    first = read()
    counted.clear()
    assert run() == 0
    assert counted == []
    assert scores(read()) == scores(first)
    assert folders() == ["run_sigma25"]
    assert run("--fresh") == 0
    assert len(counted) == IMAGES + 1
    assert len(folders()) == 2


def change_weights():
    torch.manual_seed(6)
    save_weights(Path("net.pth"), TINY_UNET)
    return []


def change_image():
    write_image(Path("images/1.png"), make_image((13, 20, 3), seed=77))
    return []


def add_image():
    write_image(Path("images/00.png"), make_image((13, 20, 3), seed=77))
    return []


@pytest.mark.parametrize(
    "change",
    [
        change_weights,
        change_image,
        add_image,
        lambda: ["--force_yml", "datasets:test:noise_convention=torch_chw_rgb"],
        lambda: ["--force_yml", "val:protocol=weather_rgb"],
        lambda: ["--force_yml", "network_g:k=4"],
        lambda: ["--ensemble"],
        lambda: ["--tile", "8"],
    ],
)
def test_scores_of_something_else_are_never_used(bench, counted, change):
    assert run() == 0
    counted.clear()
    assert run(*change()) == 0
    assert len([*Path("images").iterdir()]) <= len(counted)
    archived = next(name for name in folders() if name.startswith("run_sigma25_archived_"))
    continued, older = read(), read(archived)
    assert sum(dataset["reused"] for dataset in continued["datasets"]) == 0
    assert older["datasets"] != continued["datasets"]


def test_what_does_not_change_scores_changes_nothing(bench, counted):
    assert run() == 0
    counted.clear()
    assert run("--force_yml", "val:pbar=true", "logger={}") == 0
    assert counted == []


def test_images_that_were_not_written_are_restored_again(bench, counted):
    assert run() == 0
    counted.clear()
    assert run("--force_yml", "val:save_img=true") == 0
    assert len(counted) == IMAGES + 1
    assert len(list(Path("results/run_sigma25/visualization/a").iterdir())) == IMAGES
    Path("results/run_sigma25/visualization/a/3_run_sigma25.png").unlink()
    counted.clear()
    assert run("--force_yml", "val:save_img=true") == 0
    assert len(counted) == 1


def test_a_sweep_gives_the_scores_of_single_runs(bench):
    assert run("--sweep", "sigma=15,50", "--k", "2,8") == 0
    together = read("run_sigma15-50")
    assert [d["setting"] for d in together["datasets"][::2]] == [
        {"sigma": sigma, "k": k} for sigma in (15, 50) for k in (2, 8)
    ]
    joint = scores(together)
    for sigma in (15, 50):
        for k in (2, 8):
            flags = ["--fresh", "--force_yml", f"vars:sigma={sigma}", f"val:k={k}"]
            assert run(*flags) == 0
            single = scores(read(f"run_sigma{sigma}"))
            assert joint["a", sigma, k] == single["a",]
    assert joint["a", 15, 2] != joint["a", 15, 8]
    curve = next(c for c in together["k_curves"] if c["quantity"] == "psnr")
    means = {(d["level"], d["k"]): d["mean"]["PSNR out"] for d in together["datasets"][::2]}
    assert curve["series"]["a sigma 15"] == [[k, means[15, k]] for k in (2, 8)]


def test_a_sweep_can_be_extended(bench, counted):
    assert run("--k", "2,4") == 0
    counted.clear()
    assert run("--k", "2,4,8") == 0
    assert len(counted) == IMAGES + 1
    assert folders() == ["run_sigma25"]


def test_levels_may_have_weights_of_their_own(bench, capsys):
    for sigma in (15, 50):
        torch.manual_seed(sigma)
        save_weights(bench / f"net_sigma{sigma}.pth", TINY_UNET)
    arguments = ["--weights", "net_sigma{sigma}.pth", "--sweep"]
    assert run(*arguments, "sigma=15,50") == 0
    datasets = read("run_sigma15-50")["datasets"]
    assert [d["weights"] for d in datasets[::2]] == ["net_sigma15.pth", "net_sigma50.pth"]
    assert datasets[0]["sha256"] != datasets[2]["sha256"]
    assert run(*arguments, "sigma=15,25") == 2
    assert "no such file: 'net_sigma25.pth'" in capsys.readouterr().err
    assert run("--weights", "net_{level}.pth") == 2
    assert "${level} is not defined" in capsys.readouterr().err


def test_every_layout_of_weights_gives_the_same_scores(bench):
    state = load_state("net.pth")
    torch.save(state["params"], "bare.pth")
    torch.save({"params": {f"module.{k}": v for k, v in state["params"].items()}}, "parallel.pth")
    convert(Path("net.pth"), Path("net.safetensors"))
    assert run() == 0
    expected = scores(read())
    for file in ("bare.pth", "parallel.pth", "net.safetensors"):
        assert run("--weights", file, "--fresh") == 0
        report = read()
        assert scores(report) == expected
        assert report["checkpoint"] == file


def test_averaged_weights_are_taken_where_there_are_any(bench):
    state = load_state("net.pth")
    torch.manual_seed(8)
    save_weights(bench / "average.pth", TINY_UNET)
    state["params_ema"] = load_state("average.pth")["params"]
    torch.save(state, "both.pth")
    assert run("--weights", "both.pth") == 0
    averaged = scores(read())
    assert run("--weights", "average.pth") == 0
    assert scores(read()) == averaged
    assert run("--weights", "both.pth", "--force_yml", "path:param_key_g=params") == 0
    assert scores(read()) != averaged


def test_a_network_of_other_options_is_pointed_out(bench, capsys):
    assert run("--force_yml", "network_g:k=4") == 0
    assert "The weights were saved from another network: k: 8 in the file, 4 tested." in (
        capsys.readouterr().out
    )


def test_missing_sets_are_an_error_that_names_the_way_out(bench, capsys):
    shutil.rmtree("others")
    assert run() == 2
    told = capsys.readouterr().err
    assert "datasets:test_2:dataroot_gt: no such folder: 'others'" in told
    assert "--skip_missing tests the other data sets" in told
    assert run("--skip_missing") == 0
    report = read()
    assert [dataset["name"] for dataset in report["datasets"]] == ["a"]
    missing = {"dataset": "b", "setting": "", "reason": "no such folder: 'others'"}
    assert report["missing"] == [missing]
    text = "Data set b is missing: no such folder: 'others'."
    assert text in Path("results/run_sigma25/report.md").read_text()
    assert text in capsys.readouterr().out


def test_at_least_one_set_must_be_there(bench, capsys):
    shutil.rmtree("others")
    shutil.rmtree("images")
    assert run("--skip_missing") == 2
    told = capsys.readouterr().err
    assert "none of the data sets is there" in told
    assert "no such folder: 'images'" in told
    assert run() == 2
    assert "--skip_missing" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--k", "x"], "val:k: received 'x'; expected int"),
        (["--k", "0"], "val:k: received 0; allowed: int from 1 to"),
        (["--k", ","], "--k: received ','"),
        (["--k", "4,4"], "--k: received '4,4'; a value is given twice"),
        (["--sweep", "sigma"], "--sweep: expected name=value,value, received 'sigma'"),
        (["--sweep", "sigma=15", "--sweep", "sigma=25"], "sigma is given more than once"),
        (["--sweep", "gamma=1,2"], "'gamma' is not in vars of leaf.yml; it has sigma"),
        (["--sweep", "sigma=15,-3"], "sigma: received -3; allowed: float from 0 to 255"),
        (["--tile", "big"], "val:tile: received 'big'; allowed: int from 1 to"),
        (["--tile", "0"], "val:tile: received 0; allowed: int from 1 to"),
        (["--weights", "gone.pth"], "no such file: 'gone.pth'"),
    ],
)
def test_what_cannot_be_swept_is_told_in_one_message(bench, capsys, arguments, message):
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().rglob("report.*"))
    assert not Path("results").exists()


def test_networks_without_keys_have_no_k_to_choose(bench, capsys):
    write(bench, LEAF | {"network_g": {"type": "RAMiT", "task": "denoising_color"}})
    assert run("--k", "64,128", "--force_yml", "path:pretrain_network_g=null") == 2
    assert "val:k: received 64, but RAMiT has no k" in capsys.readouterr().err


def test_two_sets_of_one_name_are_refused(bench, capsys):
    assert run("--force_yml", "datasets:test_2:name=a") == 2
    assert "datasets:test_2:name: received 'a', which is the name of test as well" in (
        capsys.readouterr().err
    )


def test_the_summary_says_how_the_numbers_came_about(bench):
    assert run("--tile", "8", "--ensemble") == 0
    report = read()
    assert report["command"].endswith("-opt leaf.yml --tile 8 --ensemble")
    assert {"torch", "numpy", "python", "semanir_arch"} == report["versions"].keys()
    assert report["threads"] == torch.get_num_threads()
    assert report["precision"].startswith("fp32")
    assert report["memory"] > 2**20
    first = report["datasets"][0]
    assert (first["tile"], first["ensemble"], first["k"]) == (8, True, TINY_UNET["k"])
    assert first["seconds"] == sum(image["seconds"] for image in first["images"]) > 0
    assert all(image["tile"] == 8 for image in first["images"])
    lines = Path("results/run_sigma25/report.csv").read_text().splitlines()
    assert lines[0] == "dataset,protocol,image,PSNR in,PSNR out,SSIM in,SSIM out,seconds"
    assert len(lines) == 1 + IMAGES + 1


def test_the_page_has_a_bounded_number_of_pictures(bench):
    assert run("--sweep", "sigma=15,25") == 0
    kept = sorted(Path("results/run_sigma15-25/examples").rglob("*_output.png"))
    # four in all: one for each set and level
    assert [path.relative_to("results/run_sigma15-25/examples").as_posix() for path in kept] == [
        f"sigma{sigma}/{name}/00000_output.png" for sigma in (15, 25) for name in ("a", "b")
    ]
    page = Path("results/run_sigma15-25/report.html").read_text()
    assert page.count("a sigma=15") >= 1


def test_models_of_basicsr_are_told_to_convert_safetensors(bench, capsys):
    convert(Path("net.pth"), Path("net.safetensors"))
    write(bench, LEAF | {"model_type": "SRModel", "val": {"save_img": False}})
    assert run("--weights", "net.safetensors") == 2
    told = "python -m semanir_arch.commands.convert net.safetensors net.pth"
    assert told in capsys.readouterr().err


def test_a_plain_file_of_basicsr_takes_the_flags_as_well(bench, counted):
    plain = json.loads(json.dumps(LEAF).replace('"${sigma}"', "25"))
    plain["name"] = "plain"
    del plain["vars"]
    (bench / "leaf.yml").write_text(to_yaml(plain))
    shutil.rmtree("others")
    assert run("--sweep", "datasets:test:sigma=15,25", "--k", "4", "--skip_missing") == 0
    report = read("plain")
    assert [(d["level"], d["k"]) for d in report["datasets"]] == [(15, 4), (25, 4)]
    assert [missing["dataset"] for missing in report["missing"]] == ["b", "b"]
    assert len(counted) == 2 * IMAGES
