"""Every option file resolves, validates, builds its network, trains and tests.

What the files say about themselves and their papers is tested in `test_option_facts.py`.
"""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import cv2
import pytest
import torch

from semanir_arch import host, plugin
from semanir_arch.archs import NETWORKS
from semanir_arch.commands import test as engine_test
from semanir_arch.commands import train as engine_train
from semanir_arch.data.files.image_io import write_image
from semanir_arch.runs.class_schemas import build_catalogue
from semanir_arch.runs.prepare import complete_options
from semanir_arch.utils.checkpoint import save_checkpoint
from semanir_arch.utils.options import OptionError, basicsr_keys, resolve, validate
from semanir_arch.utils.options.inheritance import merge_file
from semanir_arch.utils.options.roles import TRAINING_ROOT
from semanir_arch.utils.options.yaml_reading import load_file
from tests.data.benchmark_files import write_dnd
from tests.each import each
from tests.helpers import TINY, make_image
from tests.leaves import (
    FRAGMENTS,
    LEAVES,
    OPTIONS,
    ROLES,
    TEST_ONLY,
    TRAIN_LEAVES,
    build,
    build_without_memory,
    kind_of,
    name_of,
    options_of,
    resolved_of,
)
from tests.small_runs import forget_the_log


def choose():
    """Few leaves in which occurs all that occurs in any, and every combination of main parts."""
    parts = {leaf: kind_of(leaf) for leaf in TRAIN_LEAVES}
    left, chosen = set().union(*parts.values()), []
    while left:
        chosen.append(max(TRAIN_LEAVES, key=lambda leaf: len(left & parts[leaf])))
        left -= parts[chosen[-1]]
    return chosen


SMALL = {**TINY, "SwinIR": {"embed_dim": 8, "depths": [1], "num_heads": [2]}}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Networks this small are slower with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """For each scale one picture, `gt/a.png`, and inputs of the names that leaves expect."""
    folder = tmp_path_factory.mktemp("runs")
    for scale, side in ((1, 24), (2, 24), (3, 36), (4, 48)):
        # smooth, because RealBlur's protocol aligns
        picture = cv2.resize(make_image((4, 4, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
        reduced = picture[::scale, ::scale]
        write_image(folder / f"X{scale}" / "gt" / "a.png", picture)
        write_image(folder / f"X{scale}" / "lq" / "a.png", reduced)
        write_image(folder / f"X{scale}" / "named" / f"ax{scale}.png", reduced)
    write_dnd(folder / "DND", images=1, boxes=1)
    return folder


@pytest.fixture
def work(folder, monkeypatch):
    """`folder`, as the working folder."""
    monkeypatch.chdir(folder)
    return folder


def small(options):
    """Overrides that turn a leaf into a run of a moment on the picture of `folder`."""
    network = SMALL[options["network_g"]["type"]]
    scale = options.get("scale", 1)
    changed = {
        f"network_g:{key}": value
        for key, value in network.items()
        if key not in ("in_chans", "out_chans", "upscale")
    }
    for name, block in options["datasets"].items():
        # which may come from the folder, and the folder is another here
        changed[f"datasets:{name}:name"] = block["name"]
        if block["type"] == "SubmissionDataset":
            changed[f"datasets:{name}:dataroot_lq"] = "DND/info.mat"
            continue
        inputs = f"X{scale}/named" if "filename_tmpl" in block else f"X{scale}/lq"
        for key in ("dataroot_lq", "dataroot_left", "dataroot_right"):
            if key in block:
                changed[f"datasets:{name}:{key}"] = inputs
        if "dataroot_gt" in block:
            changed[f"datasets:{name}:dataroot_gt"] = f"X{scale}/gt"
    if options["path"].get("pretrain_network_g") and "train" in options:
        changed["path:pretrain_network_g"] = str(start(options))
    return changed | (short(options) if "train" in options else {})


def short(options):
    """Overrides that make a training two iterations long, one in each of two stages."""
    train, block = options["train"], options["datasets"]["train"]
    # SwinIR pads nothing: its patches must be made of windows
    side = options["network_g"].get("window_size", 8) if is_foreign(options) else 8
    changed = {
        "datasets:train:batch_size_per_gpu": 1,
        "datasets:train:num_worker_per_gpu": 0,
        "train:total_iter": 2,
        "logger:print_freq": 1,
        "logger:use_tb_logger": False,
    }
    size = "patch_size" if "patch_size" in block else "gt_size"
    changed[f"datasets:train:{size}"] = side * options.get("scale", 1)
    if "progressive" in block:
        stages = [{"iters": 1, "patch_size": 8}, {"iters": 1, "patch_size": 16}]
        changed["datasets:train:progressive"] = stages
    if "freeze" in train:
        changed["train:freeze:iters"] = 1
    if "periods" in train["scheduler"]:
        # as many cycles as before, as long as the training
        changed["train:scheduler:periods"] = (
            [2] if len(train["scheduler"]["periods"]) == 1 else [1, 1]
        )
    if "network_d" in options:
        changed["network_d:num_feat"] = 2
    if "losses" in train:
        # without the features of a network whose weights are no part of this project
        changed["train:losses"] = None
    if "k" in train:
        changed["train:k"] = [4, 8]
    return changed


def is_foreign(options):
    return options["network_g"]["type"] not in NETWORKS


def small_network(options):
    """The network as `small` makes it, of the leaf's scale."""
    block = options["network_g"]
    own = {key: block[key] for key in ("task", "upscale") if key in block}
    return block | SMALL[block["type"]] | own


def start(options):
    """Weights of the same network, for x2 where a warm start need not fit."""
    block = small_network(options)
    if not options["path"]["strict_load_g"]:
        block |= {"task": "sr_x2"} if "task" in block else {"upscale": 2}
    path = Path(f"{options['name']}_start.pth")
    save_checkpoint(path, {"params": build(block).state_dict()})
    return path


def run(main, leaf, changed):
    """Exit code of a command with overrides."""
    overrides = [f"{key}={json.dumps(value)}" for key, value in changed.items()]
    return main(["-opt", str(leaf), "--force_yml", *overrides])


def check_report(folder, name, leaf):
    report = json.loads((folder / "results" / name / "report.json").read_text())
    sets = [block["name"] for block in options_of(leaf, "test")["datasets"].values()]
    assert [dataset["name"] for dataset in report["datasets"]] == sets
    assert all(len(dataset["images"]) == 1 for dataset in report["datasets"])


@pytest.fixture(scope="module")
def catalogue():
    return build_catalogue()


def test_every_leaf_is_valid_and_builds_its_network(catalogue):
    wrong = []
    for leaf, role in ROLES:
        resolved = resolved_of(leaf, role)
        try:
            validate(resolved, catalogue, is_train=role == "train")
            faults = [*network_faults(leaf, resolved.options)]
        except (ValueError, TypeError, LookupError, RuntimeError) as error:
            faults = [f"{type(error).__name__}: {error}"]
        wrong += [f"{name_of(leaf)} ({role}): {fault}" for fault in faults]
    assert not wrong, "\n".join(wrong)


def network_faults(leaf, options):
    """That its inputs have the channels of the data sets is part of the validation."""
    network, block = build_without_memory(options["network_g"]), options["network_g"]
    channels = 1 if "gray" in leaf.stem else 3
    if is_foreign(options):
        if block["in_chans"] != channels:
            yield f"{block['in_chans']} channels"
        if any(b.get("channels", 3) != channels for b in options["datasets"].values()):
            yield "a data set has other channels"
        if options["val"]["size_multiple"] != block["window_size"]:
            yield "size_multiple is not its window"
    elif network.out_chans != channels:
        yield f"{network.out_chans} channels"
    if network.upscale != options.get("scale", 1):
        yield f"the network enlarges {network.upscale} times"


@each("leaf", choose)
def test_a_leaf_trains_two_iterations_and_its_test_reports(leaf, work, capsys):
    forget_the_log()
    options = options_of(leaf, "train")
    assert run(engine_train.main, leaf, small(options)) == 0
    name = options["name"]
    assert (work / "experiments" / name / "models" / "net_g_latest.pth").is_file()

    options = options_of(leaf, "test")
    assert run(engine_test.main, leaf, small(options)) == 0
    check_report(work, name, leaf)
    assert f"protocol: {options['val']['protocol']}" in capsys.readouterr().out


@each("leaf", TEST_ONLY)
def test_a_leaf_without_a_training_of_its_own_tests_the_weights_of_another(leaf, work):
    forget_the_log()
    options = options_of(leaf, "test")
    weights = Path(options["path"]["pretrain_network_g"])
    block = small_network(options)
    weights.parent.mkdir(parents=True, exist_ok=True)
    # weights of 0 give the input back
    zeros = {
        name: torch.zeros_like(value) if value.is_floating_point() else value
        for name, value in build(block).state_dict().items()
    }
    save_checkpoint(weights, {"params": zeros})
    assert weights.parts[1] in {options_of(other, "train")["name"] for other in TRAIN_LEAVES}
    assert run(engine_test.main, leaf, small(options)) == 0
    check_report(work, options["name"], leaf)
    if leaf.stem.endswith("_dnd"):
        bundles = (work / "results" / options["name"]).rglob("bundled/*")
        assert [file.name for file in bundles] == ["0001.mat"]


def test_a_training_is_not_made_of_a_leaf_that_only_tests(capsys):
    assert engine_train.main(["-opt", str(TEST_ONLY[0])]) == 2
    assert "train: missing; this file describes only a test" in capsys.readouterr().err


@pytest.fixture(scope="module")
def fragments():
    """Fragments of every leaf in every role."""
    return {(leaf, role): merge_file(leaf, role).fragments for leaf, role in ROLES}


def test_every_fragment_is_used(fragments):
    assert set(FRAGMENTS) == set().union(*fragments.values())


def test_leaves_are_short_and_take_one_fragment_of_each_kind(fragments):
    """What is scored stands in the fragment of data, in one of test sets, or in the leaf."""
    wrong = [name_of(leaf) for leaf in LEAVES if len(leaf.read_text().splitlines()) > 30]
    for (leaf, role), listed in fragments.items():
        kinds = [kind for kind in (f.parent.name for f in listed) if kind != "testsets"]
        needed = ["runtime", "network"] + (["data", "schedule"] if leaf in TRAIN_LEAVES else [])
        # a leaf may also name its own data sets, all of them; and the test of a shipped network the
        # data of a task beside the packed ones
        alone = [kind for kind in needed if kind != "data"]
        if [*dict.fromkeys(kinds)] not in (needed, alone) or len(listed) > len(needed) + 1:
            wrong.append(f"{name_of(leaf)} ({role}): {kinds}")
        if {*options_of(leaf, role)["datasets"]} <= {"train"}:
            wrong.append(f"{name_of(leaf)} ({role}): nothing is scored")
    assert not wrong, "\n".join(wrong)


def test_a_test_has_the_name_of_its_training_and_no_other_leaf_has_it():
    names = [options_of(leaf, "test")["name"] for leaf in LEAVES]
    assert len(set(names)) == len(names)
    assert [n for n in TRAIN_LEAVES if options_of(n, "train")["name"] not in names] == []
    wrong = [
        name_of(leaf)
        for leaf in TRAIN_LEAVES
        if options_of(leaf, "train")["name"] != options_of(leaf, "test")["name"]
    ]
    assert not wrong


def test_a_test_takes_what_its_training_wrote_and_no_setting_of_it():
    """The averaged weights where there are some, of a network of the same layout."""
    wrong = []
    for leaf in TRAIN_LEAVES:
        training, test = options_of(leaf, "train"), options_of(leaf, "test")
        path = test["path"]
        file = f"experiments/{training['name']}/models/net_g_latest.pth"
        if path["pretrain_network_g"] != file or not path["strict_load_g"] or "fresh_g" in path:
            wrong.append(f"{name_of(leaf)}: path {path}")
        if training["network_g"] != test["network_g"]:
            wrong.append(f"{name_of(leaf)}: another network")
        if test["model_type"] != "RestorationModel" or {*TRAINING_ROOT, "network_d"} & {*test}:
            wrong.append(f"{name_of(leaf)}: keys of a training")
    assert not wrong, "\n".join(wrong)


def test_a_block_for_tests_says_nothing_that_holds_without_it(tmp_path):
    for folder in ("", "shipped"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "_base_").symlink_to(OPTIONS / folder / "_base_")
    wrong = []
    for leaf in LEAVES:
        block = load_file(leaf).data.get("test", {})
        for key in block:
            data = load_file(leaf).data
            del data["test"][key]
            copy = tmp_path / leaf.parent.name / leaf.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(json.dumps({"name": leaf.stem, **data}))
            try:
                same = resolve(copy, role="test").options | {"name": ""} == options_of(
                    leaf, "test"
                ) | {"name": ""}
            except OptionError:
                same = False
            if same:
                wrong.append(f"{name_of(leaf)}: {key}")
    assert not wrong


def test_what_resolution_leaves_out_of_tests_is_what_declarations_call_training_only(catalogue):
    declared = {
        key
        for model in ("RestorationModel", "AdversarialModel")
        for key, option in catalogue.models[model].items()
        if "." not in key and option.training_only
    }
    assert declared | {"train", "logger"} == set(TRAINING_ROOT)


def test_a_patch_that_the_scale_does_not_divide_is_refused():
    leaf = str(OPTIONS / "sr" / "SemanIR_tiny_x2.yml")
    with pytest.raises(OptionError, match="gt_size: received 128; allowed: multiples of scale"):
        complete_options(leaf, ["scale=3"], is_train=True)
    complete_options(leaf, ["scale=3", "vars:gt_size=192"], is_train=True)


def test_paths_are_relative():
    absolute = re.compile(r"[:\s'\"]/\w|[A-Z]:\\|~/")
    assert [name_of(p) for p in [*LEAVES, *FRAGMENTS] if absolute.search(p.read_text())] == []


def test_files_say_what_they_are_for():
    files = [*LEAVES, *FRAGMENTS]
    assert [name_of(path) for path in files if not path.read_text().startswith("# ")] == []


def sources(owner):
    """Code of a class, of those it is made of, and of what they import from the same parts."""
    modules = {entry.__module__ for entry in owner.__mro__}
    waiting = [module for module in modules if module.startswith("semanir_arch.")]
    parts = "|".join(sorted({re.escape(".".join(name.split(".")[:2])) for name in waiting}))
    found = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = Path(importlib.import_module(name).__file__).read_text()
            waiting += re.findall(rf"^from ((?:{parts})\.[\w.]+) import", found[name], re.M)
    return found


def test_declared_options_are_read_and_explained():
    """Names appear in the code of their class, beside the declaration, and have a help text."""
    wrong, found = [], 0
    for registry in ("DATASET_REGISTRY", "MODEL_REGISTRY"):
        for owner in plugin.ENTRIES[registry].values():
            code = "".join(sources(owner).values())
            # that a damage reads each of its settings is tested in test_damage.py
            damage = getattr(owner, "DAMAGE", None)
            settings = damage.settings if damage else {}
            for option in [name for name in owner.OPTIONS if name not in settings]:
                found += 1
                name = re.escape(option.split(".")[-1])
                if len(re.findall(rf'"{name}"|\.{name}"', code)) < 2:
                    wrong.append(f"{owner.__name__}: nothing reads {option}")
                if not owner.OPTIONS[option].help:
                    wrong.append(f"{owner.__name__}: {option} has no help")
    assert not wrong, "\n".join(wrong)
    assert found > 50


def test_options_of_basicsr_are_read_by_basicsr():
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(host.load("basicsr").__file__).parent.rglob("*.py")
    )
    sections = [
        value
        for name, value in vars(basicsr_keys).items()
        if name.isupper() and isinstance(value, dict)
    ]
    assert len(sections) == 12
    for section in sections:
        assert all(re.search(rf"\b{option}\b", source) for option in section)
