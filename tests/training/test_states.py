"""Saved states: complete, checked, kept, and read back."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from semanir_arch import host
from semanir_arch.runs.batch_schedule import BatchSchedule, Stage
from semanir_arch.training.checkpointing import SaveError, Saver, restore
from semanir_arch.training.states import (
    Manifest,
    find_newest,
    list_states,
    parse_manifest,
    read_manifest,
    verify,
)
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.errors import CheckpointError

SCHEDULE = BatchSchedule((Stage(100, 4),), 100, images=10)


@pytest.fixture
def options(tmp_path):
    folders = {name: str(tmp_path / name) for name in ("models", "training_states")}
    for folder in folders:
        (tmp_path / folder).mkdir()
    return {
        "name": "run",
        "num_gpu": 0,
        "is_train": True,
        "rank": 0,
        "manual_seed": 7,
        "path": {"experiments_root": str(tmp_path), **folders},
        "logger": {},
    }


@pytest.fixture
def build(options):
    """Makes models of BasicSR with one weight, and a saver for each."""

    def make(**logger):
        options["logger"] = logger
        model = host.load("basicsr.models.base_model").BaseModel(options)
        model.net_g = nn.Linear(1, 1)
        model.optimizers = [torch.optim.Adam(model.net_g.parameters())]
        model.save = lambda epoch, iteration: (
            model.save_network(model.net_g, "net_g", iteration),
            model.save_training_state(epoch, iteration),
        )
        return model, Saver(model, options, SCHEDULE)

    return make


def test_a_manifest_names_every_file_and_the_place_in_the_data(build, tmp_path):
    _, saver = build()
    saver.save(5, is_settled=False)
    manifest = verify(tmp_path, 5, ["net_g"])
    assert set(manifest.files) == {"models/net_g_5.pth", "training_states/5.state"}
    assert (manifest.samples, manifest.seed, manifest.batch) == (20, 7, 4)
    assert not manifest.is_settled
    saver.settle(4)
    assert not read_manifest(tmp_path, 5).is_settled
    saver.settle(5)
    assert read_manifest(tmp_path, 5).is_settled


def test_basicsr_forgets_its_best_metrics_and_we_keep_them(build, tmp_path):
    model, saver = build()
    best = {"set": {"psnr": {"better": "higher", "val": np.float64(31.25), "iter": 4}}}
    model.best_metric_results = best
    saver.save(5, is_settled=True)
    assert "31.25" not in str(load_state(tmp_path / "training_states" / "5.state"))

    other, _ = build()
    manifest = verify(tmp_path, 5, ["net_g"])
    restore(other, load_state(tmp_path / "training_states" / "5.state"), manifest.best)
    assert other.best_metric_results == best
    other._initialize_best_metric_results("set")
    other._update_best_metric_result("set", "psnr", 31.0, 6)
    assert other.best_metric_results == best


def test_a_state_whose_saving_was_not_completed_is_not_used(build, tmp_path, monkeypatch):
    model, saver = build()
    saver.save(5, is_settled=True)
    monkeypatch.setattr(model, "save_training_state", lambda *_: (_ for _ in ()).throw(OSError()))
    with pytest.raises(SaveError):
        saver.save(6, is_settled=True)
    manifest, problems = find_newest(tmp_path, ["net_g"])
    assert manifest.iteration == 5
    assert "6.state: saving was not completed" in str(problems[0])


def test_without_states_there_is_none(tmp_path):
    assert find_newest(tmp_path, ["net_g"]) == (None, [])


@pytest.mark.parametrize("damage", [None, "cut", "no network"])
def test_states_of_plain_basicsr_are_used_if_they_can_be_read(options, build, tmp_path, damage):
    model, _ = build()
    model.save(3, 5)
    network, state = tmp_path / "models" / "net_g_5.pth", tmp_path / "training_states" / "5.state"
    if damage is None:
        assert verify(tmp_path, 5, ["net_g"]) == Manifest(5)
        return
    if damage == "cut":
        state.write_bytes(state.read_bytes()[:99])
    else:
        network.unlink()
    with pytest.raises((CheckpointError, FileNotFoundError), match=r"5\.(state: cut|pth: missing)"):
        verify(tmp_path, 5, ["net_g"])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"iteration": 5, "files": {"a": 1}}', "nul"])
def test_what_is_no_manifest_is_told(build, tmp_path, content):
    _, saver = build()
    saver.save(5, is_settled=True)
    (tmp_path / "training_states" / "5.json").write_text(content)
    with pytest.raises(CheckpointError, match="cut short or not a manifest"):
        verify(tmp_path, 5, ["net_g"])


def test_the_last_states_are_kept(build, tmp_path):
    model, saver = build(keep_states=2)
    model.save(0, 1)
    for iteration in (5, 10, 15):
        saver.save(iteration, is_settled=True)
    # The one of plain BasicSR is not ours to delete.
    assert list_states(tmp_path) == [15, 10, 1]
    names = {path.name for path in (tmp_path / "models").iterdir()}
    assert names == {"net_g_1.pth", "net_g_10.pth", "net_g_15.pth"}


def test_all_states_are_kept_as_in_basicsr_unless_a_number_is_given(build, tmp_path):
    _, saver = build()
    for iteration in range(1, 8):
        saver.save(iteration, is_settled=True)
    assert list_states(tmp_path) == [7, 6, 5, 4, 3, 2, 1]


def test_what_was_never_completed_is_not_kept_in_place_of_what_was(build, options, tmp_path):
    model, saver = build(keep_states=2)
    saver.save(5, is_settled=True)
    Manifest(7).write(tmp_path)
    model.save(0, 7)
    saver.save(10, is_settled=True)
    assert list_states(tmp_path) == [10, 5]


def test_a_folder_that_was_deleted_is_told(build, tmp_path):
    _, saver = build()
    saver.save(5, is_settled=True)
    shutil.rmtree(tmp_path)
    message = r"/6\.json: cannot be written: No such file or directory.* No state is saved"
    with pytest.raises(SaveError, match=message):
        saver.save(6, is_settled=True)


def test_a_damaged_newer_state_is_not_counted_among_those_kept(build, options, tmp_path):
    model, saver = build(keep_states=1)
    saver.save(5, is_settled=True)
    (tmp_path / "training_states" / "9.state").write_bytes(b"cut")
    (tmp_path / "training_states" / "9.json").write_text("cut")
    again = Saver(model, options, SCHEDULE, verify(tmp_path, 5, ["net_g"]))
    again.save(6, is_settled=True)
    assert list_states(tmp_path) == [9, 6]


def validate(model, value, iteration):
    record = model.best_metric_results["set"]["psnr"]
    if value > record["val"]:
        record |= {"val": value, "iter": iteration}


def test_the_best_networks_are_kept(build, tmp_path, caplog):
    model, saver = build(keep_best={"dataset": "set", "metric": "psnr"})
    record = {"better": "higher", "val": float("-inf"), "iter": -1}
    model.best_metric_results = {"set": {"psnr": record}}
    for iteration, value in ((1, 20.0), (2, 30.0), (3, 25.0)):
        nn.init.constant_(model.net_g.weight, value)
        validate(model, value, iteration)
        saver.save_best(iteration)
    best = load_state(tmp_path / "models" / "net_g_best.pth")["params"]
    assert best["weight"].item() == 30.0


def test_a_metric_that_is_not_measured_is_told(build):
    model, saver = build(keep_best={"dataset": "set", "metric": "psrn"})
    model.best_metric_results = {"set": {"psnr": {"iter": 1}}}
    with pytest.raises(ValueError, match="'psrn' is not measured on 'set': psnr"):
        saver.save_best(1)


def test_weights_that_are_not_finite_are_not_saved(build, tmp_path):
    model, saver = build()
    saver.save(5, is_settled=True)
    saver.save_latest()
    good = (tmp_path / "models" / "net_g_latest.pth").read_bytes()
    nn.init.constant_(model.net_g.bias, float("inf"))
    for save in (lambda: saver.save(6, is_settled=True), saver.save_latest):
        with pytest.raises(SaveError, match=r"net_g: bias is not finite.*iteration 5 is intact"):
            save()
    assert (tmp_path / "models" / "net_g_latest.pth").read_bytes() == good
    assert list_states(tmp_path) == [5]


def test_only_the_first_process_writes(build, options, tmp_path):
    options["rank"] = 1
    _, saver = build(keep_states=1, keep_best={"dataset": "set", "metric": "psnr"})
    saver.save(5, is_settled=True)
    saver.save_latest()
    saver.save_best(5)
    saver.settle(5)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_saved_iteration_is_not_saved_again(build, tmp_path, caplog):
    _, saver = build()
    with caplog.at_level(logging.INFO, logger="basicsr"):
        for _ in range(2):
            saver.save(5, is_settled=True)
    assert caplog.text.count("Saving models") == 1


def test_a_manifest_is_plain_json(build, tmp_path):
    model, saver = build()
    model.best_metric_results = {"set": {"psnr": {"val": float("-inf"), "iter": -1}}}
    saver.save(5, is_settled=True)
    text = (tmp_path / "training_states" / "5.json").read_text()
    assert json.loads(text)["best"]["set"]["psnr"]["val"] == float("-inf")
    assert read_manifest(tmp_path, 5).best == model.best_metric_results


def test_every_changed_bit_of_a_manifest_is_noticed(build, tmp_path, record):
    model, saver = build()
    model.best_metric_results = {"set": {"psnr": {"better": "higher", "val": 31.25, "iter": 4}}}
    for iteration in (4, 5):
        saver.save(iteration, is_settled=True)
    path = tmp_path / "training_states" / "5.json"
    good = path.read_bytes()
    unnoticed = []
    for position in range(8 * len(good)):
        changed = bytearray(good)
        changed[position // 8] ^= 1 << position % 8
        try:
            parse_manifest(bytes(changed), path)
        except CheckpointError:
            continue
        unnoticed.append(position)
    assert unnoticed == []
    path.write_bytes(changed)
    manifest, problems = find_newest(tmp_path, ["net_g"])
    assert manifest.iteration == 4
    assert "5.json: " in str(problems[0])
    path.write_bytes(good)
    assert find_newest(tmp_path, ["net_g"]) == (read_manifest(tmp_path, 5), [])
    record(
        65, "one bit of a manifest flipped, every one", 8 * len(good), "noticed; the state before"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"samples": 20', '"samples": 24'), "its checksum is not that"),
        (lambda text: text.replace("true", "false", 1), "its checksum is not that"),
        (lambda text: text.replace(" ", ""), "its checksum is not that"),
        (lambda text: text + "\n", "its checksum is not that"),
        (lambda text: text.replace('"sha256"', '"sha257"'), "cut short or not a manifest"),
        (lambda text: text.replace('"seed": 7', '"seed": "7"'), "its checksum is not that"),
    ],
)
def test_a_changed_manifest_is_not_believed(build, tmp_path, change, message):
    _, saver = build()
    saver.save(5, is_settled=True)
    path = tmp_path / "training_states" / "5.json"
    assert change(path.read_text()) != path.read_text()
    path.write_text(change(path.read_text()))
    with pytest.raises(CheckpointError, match=message):
        verify(tmp_path, 5, ["net_g"])


def test_a_manifest_agrees_with_its_name(build, tmp_path):
    _, saver = build()
    saver.save(5, is_settled=True)
    for folder, name in (("models", "net_g_{}.pth"), ("training_states", "{}.state")):
        shutil.copy(tmp_path / folder / name.format(5), tmp_path / folder / name.format(7))
    shutil.copy(tmp_path / "training_states" / "5.json", tmp_path / "training_states" / "7.json")
    manifest, problems = find_newest(tmp_path, ["net_g"])
    assert manifest.iteration == 5
    assert "7.json: it describes iteration 5" in str(problems[0])


def test_a_network_that_the_manifest_does_not_list_is_not_used(build, tmp_path):
    _, saver = build()
    saver.save(5, is_settled=True)
    shutil.copy(tmp_path / "models" / "net_g_5.pth", tmp_path / "models" / "net_d_5.pth")
    with pytest.raises(CheckpointError, match=r"net_d_5\.pth: its manifest does not list it"):
        verify(tmp_path, 5, ["net_g", "net_d"])


def test_states_of_earlier_versions_are_read_with_a_note_and_then_protected(build, tmp_path):
    model, saver = build()
    saver.save(5, is_settled=False)
    path = tmp_path / "training_states" / "5.json"
    content = json.loads(path.read_text())
    del content["sha256"], content["arithmetic"]
    path.write_text(json.dumps(content, indent=1) + "\n")
    manifest = verify(tmp_path, 5, ["net_g"])
    assert (manifest.samples, manifest.arithmetic) == (20, {})
    assert "5.json: written by an earlier version, without a checksum" in manifest.note
    Saver(model, {**model.opt}, SCHEDULE, manifest).settle(5)
    assert read_manifest(tmp_path, 5) == replace(manifest, is_settled=True)
    assert read_manifest(tmp_path, 5).note == ""


def test_a_state_with_a_damaged_manifest_is_not_deleted(build, tmp_path):
    _, saver = build(keep_states=1)
    saver.save(5, is_settled=True)
    (tmp_path / "training_states" / "5.json").write_text("damaged")
    saver.save(6, is_settled=True)
    saver.save(7, is_settled=True)
    assert list_states(tmp_path) == [7, 5]
