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
from semanir_arch.runs.catalogue import build_catalogue
from semanir_arch.runs.prepare import complete_options
from semanir_arch.utils.checkpoint import save_checkpoint
from semanir_arch.utils.options import OptionError, basicsr_keys, resolve, validate
from semanir_arch.utils.options.inheritance import merge_file
from tests.data.benchmark_files import write_dnd
from tests.helpers import TINY, make_image
from tests.leaves import FRAGMENTS, LEAVES, OPTIONS, build, build_without_memory, name_of

TRAIN_LEAVES = [leaf for leaf in LEAVES if leaf.is_relative_to(OPTIONS / "train")]
PARTNERS = [OPTIONS / "test" / leaf.relative_to(OPTIONS / "train") for leaf in TRAIN_LEAVES]
OTHER_LEAVES = [leaf for leaf in LEAVES if leaf not in [*TRAIN_LEAVES, *PARTNERS]]

SMALL = {**TINY, "SwinIR": {"embed_dim": 8, "depths": [1], "num_heads": [2]}}


@pytest.fixture(autouse=True)
def _fresh_logger(monkeypatch):
    """BasicSR opens its log file once per process."""
    monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})


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
    sets = [block["name"] for block in resolve(leaf).options["datasets"].values()]
    assert [dataset["name"] for dataset in report["datasets"]] == sets
    assert all(len(dataset["images"]) == 1 for dataset in report["datasets"])


@pytest.fixture(scope="module")
def catalogue():
    return build_catalogue()


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_a_leaf_is_valid_and_builds_its_network(leaf, catalogue):
    resolved = resolve(leaf)
    validate(resolved, catalogue, is_train=leaf in TRAIN_LEAVES)
    options = resolved.options
    network = build_without_memory(options["network_g"])
    # that its inputs have the channels of the data sets is part of the validation
    channels = 1 if "gray" in leaf.stem else 3
    if is_foreign(options):
        assert options["network_g"]["in_chans"] == channels
        assert all(b.get("channels", 3) == channels for b in options["datasets"].values())
        assert options["val"]["size_multiple"] == options["network_g"]["window_size"]
    else:
        assert network.out_chans == channels
    assert network.upscale == options.get("scale", 1)


@pytest.mark.parametrize("leaf", TRAIN_LEAVES, ids=name_of)
def test_a_leaf_trains_two_iterations_and_its_test_reports(leaf, work, capsys):
    options = resolve(leaf).options
    assert run(engine_train.main, leaf, small(options)) == 0
    name = options["name"]
    assert (work / "experiments" / name / "models" / "net_g_latest.pth").is_file()

    partner = OPTIONS / "test" / leaf.relative_to(OPTIONS / "train")
    options = resolve(partner).options
    assert options["name"] == name
    assert run(engine_test.main, partner, small(options)) == 0
    check_report(work, name, partner)
    assert f"protocol: {options['val']['protocol']}" in capsys.readouterr().out


@pytest.mark.parametrize("leaf", OTHER_LEAVES, ids=name_of)
def test_a_leaf_without_a_training_of_its_own_tests_the_weights_of_another(leaf, work):
    options = resolve(leaf).options
    weights = Path(options["path"]["pretrain_network_g"])
    block = small_network(options)
    weights.parent.mkdir(parents=True, exist_ok=True)
    # weights of 0 give the input back
    zeros = {
        name: torch.zeros_like(value) if value.is_floating_point() else value
        for name, value in build(block).state_dict().items()
    }
    save_checkpoint(weights, {"params": zeros})
    assert weights.parts[1] in {resolve(other).options["name"] for other in TRAIN_LEAVES}
    assert run(engine_test.main, leaf, small(options)) == 0
    check_report(work, options["name"], leaf)
    if leaf.stem.endswith("_dnd"):
        bundles = (work / "results" / options["name"]).rglob("bundled/*")
        assert [file.name for file in bundles] == ["0001.mat"]


@pytest.fixture(scope="module")
def fragments():
    """Fragments of every leaf."""
    return {leaf: merge_file(leaf).fragments for leaf in LEAVES}


def test_every_fragment_is_used(fragments):
    assert set(FRAGMENTS) == set().union(*fragments.values())


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_a_leaf_is_short_and_takes_one_fragment_of_each_kind(leaf, fragments):
    assert len(leaf.read_text().splitlines()) <= 30
    kinds = [fragment.parent.name for fragment in fragments[leaf]]
    needed = ["runtime", "network", "benchmark"]
    needed += ["data", "schedule"] if leaf in TRAIN_LEAVES else []
    assert sorted(kinds) == sorted(needed)


def test_every_training_has_a_test_and_names_are_unique():
    assert all(partner.is_file() for partner in PARTNERS)
    names = [resolve(leaf).options["name"] for leaf in [*PARTNERS, *OTHER_LEAVES]]
    assert len(set(names)) == len(names)


def test_a_patch_that_the_scale_does_not_divide_is_refused():
    leaf = str(OPTIONS / "train" / "sr" / "SemanIR_tiny_x2.yml")
    with pytest.raises(OptionError, match="gt_size: received 128; allowed: multiples of scale"):
        complete_options(leaf, ["scale=3"], is_train=True)
    complete_options(leaf, ["scale=3", "vars:gt_size=192"], is_train=True)


@pytest.mark.parametrize("path", [*LEAVES, *FRAGMENTS], ids=name_of)
def test_paths_are_relative(path):
    assert not re.search(r"[:\s'\"]/\w|[A-Z]:\\|~/", path.read_text())


@pytest.mark.parametrize("path", [*LEAVES, *FRAGMENTS], ids=name_of)
def test_a_file_says_what_it_is_for(path):
    assert path.read_text().startswith("# ")


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


@pytest.mark.parametrize(
    ("owner", "option"),
    [
        (owner, option)
        for registry in ("DATASET_REGISTRY", "MODEL_REGISTRY")
        for owner in plugin.ENTRIES[registry].values()
        for option in owner.OPTIONS
        # that a damage reads each of its settings is tested beside it
        if option not in getattr(owner, "DECLARED", ())
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_declared_option_is_read_and_explained(owner, option):
    """Its name appears in the code of its class, beside the declaration, and it has a help text."""
    code = "".join(sources(owner).values())
    name = option.split(".")[-1]
    assert len(re.findall(rf'"{name}"|\.{name}"', code)) >= 2
    assert owner.OPTIONS[option].help


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
