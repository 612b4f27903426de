"""Wrong options are told together, each with its place, value and what is allowed."""

from __future__ import annotations

import copy

import pytest

from semanir_arch.utils.options import (
    Catalogue,
    Option,
    OptionError,
    resolve,
    to_yaml,
    validate,
)
from tests.each import each

CATALOGUE = Catalogue(
    networks={
        "OurNet": {"in_chans": Option(int, default=3), "depths": Option(list[int])},
        "HostNet": None,
    },
    datasets={
        "OurSet": {"dataroot_gt": Option(str), "channels": Option(int, 3, "1 or 3", (1, 3))},
        "HostSet": None,
    },
    models={"OurModel": {"val.k": Option(int, default=None)}, "SRModel": None, "HostModel": None},
    losses={"L1Loss": {"loss_weight": Option(float, default=1.0)}, "GANLoss": None},
    metrics={"our_psnr": {"crop_border": Option(int, default=0)}, "host_psnr": None},
    optimizers={"Adam": {"lr": Option(float), "betas": Option(list[float], default=None)}},
    ours=frozenset(["OurNet", "OurSet", "OurModel", "our_psnr"]),
    input_channels={"OurSet": lambda options: options["channels"]},
)

GOOD = {
    "name": "x",
    "model_type": "OurModel",
    "num_gpu": "auto",
    "network_g": {"type": "OurNet", "depths": [1]},
    "path": {"pretrain_network_g": None},
    "datasets": {
        "train": {
            "name": "a",
            "type": "OurSet",
            "dataroot_gt": "a",
            "batch_size_per_gpu": 1,
            "num_worker_per_gpu": 0,
        },
        "val": {"name": "b", "type": "HostSet", "anything": 1},
    },
    "train": {
        "total_iter": 10,
        "optim_g": {"type": "Adam", "lr": 2e-4},
        "scheduler": {"type": "CosineAnnealingRestartLR", "periods": [10]},
        "pixel_opt": {"type": "L1Loss"},
    },
    "val": {
        "val_freq": 5,
        "save_img": False,
        "k": 4,
        "metrics": {"psnr": {"type": "our_psnr", "better": "higher"}},
    },
    "logger": {"print_freq": 1, "save_checkpoint_freq": 5, "use_tb_logger": False},
}


def changed(key, value):
    """GOOD with one value replaced; None removes the key."""
    options = copy.deepcopy(GOOD)
    *above, last = key.split(":")
    block = options
    for part in above:
        block = block[part]
    if value is None:
        del block[last]
    else:
        block[last] = value
    return options


@pytest.fixture
def check(write):
    def _check(options, is_train=True, inherits=True, overrides=()):
        write("empty.yml", "{}")
        base = "_base_: [empty.yml]\n" if inherits else ""
        resolved = resolve(write("x.yml", base + to_yaml(options)), overrides)
        return validate(resolved, CATALOGUE, is_train)

    return _check


def test_good_options_pass(check):
    check(GOOD)
    check(
        {key: GOOD[key] for key in GOOD if key not in ("train", "logger")}
        | {
            "datasets": {"test": GOOD["datasets"]["val"]},
            "val": {"save_img": True},
        },
        is_train=False,
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model_type", "OurModle", "'OurModle'; did you mean 'OurModel'"),
        ("modle_type", "OurModel", "modle_type: unknown key; did you mean 'model_type'"),
        ("num_gpu", "all", "num_gpu: received 'all'; allowed: int from 0 to 4096 or 'auto'"),
        ("network_g", None, "network_g: missing"),
        ("network_g", 3, "network_g: received 3"),
        ("network_g:type", "OurNett", "network_g:type: received 'OurNett'; did you mean 'OurNet'"),
        ("network_g:depths", None, "network_g:depths: missing; list of int"),
        ("network_g:depths", [1, "a"], r"depths: received \[1, 'a'\]; expected list of int"),
        ("network_g:depth", [1], "network_g:depth: unknown key; did you mean 'depths'"),
        ("network_g:in_chans", 1, "network_g:in_chans is 1"),
        ("datasets:train:channels", 2, r"received 2; allowed: 1, 3 \(1 or 3\)"),
        ("datasets:train:type", "HostSte", "did you mean 'HostSet'"),
        ("datasets:train:batch_size_per_gpu", None, "batch_size_per_gpu: missing; samples"),
        ("datasets:train:use_shuffle", True, "datasets:train:use_shuffle: unknown key"),
        ("datasets:tset", {"name": "c"}, "a training reads datasets called train or val"),
        ("train:optim_g:lrr", 1.0, "train:optim_g:lrr: unknown key; did you mean 'lr'"),
        ("train:optim_g:lr", "fast", r"lr: received 'fast'; expected float"),
        ("train:optim_g:type", "Adamm", "did you mean 'Adam'"),
        ("train:scheduler:periods", [4, 5], r"received \[4, 5\], 9 iterations in all"),
        ("train:scheduler:periods", [11], r"received \[11\], 11 iterations in all"),
        ("train:scheduler:type", "Cosine", "CosineAnnealingRestartLR"),
        ("train:pixel_opt:type", "L2", "train:pixel_opt:type: received 'L2'"),
        ("train:total_iter", None, "train:total_iter: missing"),
        (
            "val:metrics:psnr:crop_boarder",
            2,
            "crop_boarder: unknown key; did you mean 'crop_border'",
        ),
        ("val:metrics:psnr:better", "more", "allowed: 'higher', 'lower'"),
        ("val:kk", 3, "val:kk: unknown key; did you mean 'k'"),
        (
            "logger:print_freq",
            "often",
            "print_freq: received 'often'; expected whole number from 1 to",
        ),
        ("path:pretrain_network", "a", "did you mean 'pretrain_network_g'"),
    ],
)
def test_one_wrong_option_is_told(check, key, value, message):
    with pytest.raises(OptionError, match=message):
        check(changed(key, value))


def test_all_problems_come_in_one_message_with_their_lines(check):
    options = changed("network_g:depth", [1])
    options["train"]["optim_g"]["lr"] = "fast"
    options["val"]["k"] = "many"
    with pytest.raises(OptionError) as error:
        check(options)
    message = str(error.value)
    assert message.startswith("3 problems with the options:")
    assert all(line.startswith("x.yml:") for line in message.splitlines()[1:])


def test_a_test_needs_no_training_and_reads_no_training_data(check):
    options = copy.deepcopy(GOOD)
    with pytest.raises(OptionError, match="a test reads datasets called val or test") as error:
        check(options, is_train=False)
    assert len(error.value.problems) == 1


def test_sections_of_a_foreign_model_are_open(check):
    options = changed("train:gan_opt", {"type": "GANLoss"})
    options["network_d"] = {"type": "HostNet"}
    with pytest.raises(OptionError, match="unknown key"):
        check(options)
    check({**options, "model_type": "HostModel", "val": {**GOOD["val"], "k": 3}})


def test_a_plain_file_may_hold_keys_that_nothing_reads(check):
    options = changed("train:use_grad_clip", True)
    options["use_shuffle"] = True
    options["network_g"] = {"type": "HostNet", "anything": 1}
    options["model_type"] = "SRModel"
    del options["val"]["k"]
    # what nobody reads is still told
    told = [str(problem) for problem in check(options, inherits=False)]
    assert len(told) == 2
    assert "use_shuffle: unknown key" in told[0]
    assert "train:use_grad_clip: unknown key" in told[1]
    with pytest.raises(OptionError, match="network_g:depth: unknown key"):
        check(changed("network_g:depth", [1]), inherits=False)
    # BasicSR hands the block over as keyword arguments
    with pytest.raises(OptionError, match="optim_g:lrr: unknown key; did you mean 'lr'"):
        check(changed("train:optim_g:lrr", 1.0), inherits=False)


@each(
    "key, value, message",
    [
        ("datasets:val:type", "HostSte", "did you mean 'HostSet'"),
        ("network_g:type", "HostNte", "did you mean 'HostNet'"),
        ("model_type", "SRModle", "did you mean 'SRModel'"),
        ("train:scheduler:type", "Cosine", "received 'Cosine'; allowed: CosineAnnealing"),
        ("datasets:train:channels", 2, "datasets:train:channels: received 2"),
        ("val:val_freq", 0, "val_freq: received 0; allowed: whole number from 1 to"),
        ("train:scheduler:periods", [9], "9 iterations in all"),
        ("val:save_img", None, "val:save_img: missing"),
    ],
)
def test_of_a_plain_file_everything_else_is_told(check, key, value, message):
    with pytest.raises(OptionError, match=message):
        check(changed(key, value), inherits=False)


@pytest.mark.parametrize("inherits", [True, False])
def test_a_data_set_that_is_null_is_left_out(check, inherits):
    options = copy.deepcopy(GOOD)
    options["datasets"]["val"] = None
    check(options, inherits=inherits)
    check(GOOD, inherits=inherits, overrides=["datasets:val=null"])
    with pytest.raises(OptionError, match="datasets:train: missing; a training needs one"):
        check(GOOD, inherits=inherits, overrides=["datasets:train=null"])


def test_an_empty_base_makes_a_file_one_of_ours(check, write):
    options = {**GOOD, "use_shuffle": True}
    resolved = resolve(write("y.yml", "_base_: []\n" + to_yaml(options)))
    with pytest.raises(OptionError, match="use_shuffle: unknown key"):
        validate(resolved, CATALOGUE, is_train=True)


@each("inherits", [True, False])
@each(
    "key, message",
    [
        ("train:ema_decy", "train:ema_decy: unknown key; did you mean 'ema_decay'"),
        ("train:gan_opt", "train:gan_opt: unknown key"),
        ("train:net_d_iters", "train:net_d_iters: unknown key"),
        ("logger:keep_state", "logger:keep_state: unknown key; did you mean 'keep_states'"),
        ("path:pretrain_network_d", "path:pretrain_network_d: unknown key"),
        ("val:val_frq", "val:val_frq: unknown key"),
        ("network_d", "network_d: OurModel has no such network; it trains network_g alone"),
    ],
)
def test_a_model_of_ours_ignores_nothing(check, key, message, inherits):
    with pytest.raises(OptionError, match=message):
        check(changed(key, {"type": "X"}), inherits=inherits)


def test_models_of_basicsr_may_have_more_networks(check):
    options = {**GOOD, "model_type": "HostModel", "network_d": {"type": "HostNet"}}
    assert check(options) == []


def test_overrides_of_a_plain_file_must_be_known(check):
    check(GOOD, inherits=False, overrides=["train:ema_decay=0.9", "train:optim_g:lr=1e-4"])
    with pytest.raises(OptionError, match="command line: train:optim_g:lrr: unknown key"):
        check(GOOD, inherits=False, overrides=["train:optim_g:lrr=1"])
    with pytest.raises(OptionError, match="command line: trian: unknown key; did you mean 'train'"):
        check(GOOD, inherits=False, overrides=["trian:total_iter=3"])
