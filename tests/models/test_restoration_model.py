"""The model class: what it adds to BasicSR's SRModel."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import semanir_arch.plugin  # noqa: F401 - registers the networks
from semanir_arch import host
from semanir_arch.data.files.image_io import read_image
from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.models.optimizers import optimizers
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.modules.key_count import draw_k
from semanir_arch.utils.checkpoint import load_checkpoint, load_state, save_checkpoint
from semanir_arch.utils.errors import CheckpointError
from tests.helpers import TINY_SR, TINY_UNET


class Pairs(Dataset):
    """Two clean images of 12 x 15 pixels, and the same with noise."""

    opt = {"name": "pairs"}  # noqa: RUF012 - where BasicSR looks for it

    def __len__(self):
        return 2

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        gt = torch.rand(3, 12, 15, generator=generator)
        lq = gt + 0.1 * torch.randn(3, 12, 15, generator=generator)
        return {"lq": lq, "gt": gt, "lq_path": f"/x/{index}.png", "gt_path": f"/x/{index}.png"}


def build(options):
    return RestorationModel(copy.deepcopy(options))


class Changed(Pairs):
    """Pairs of other images."""

    def __init__(self, change):
        self.change = change

    def __getitem__(self, index):
        pair = super().__getitem__(index)
        return pair | self.change(pair)


def validate(model, current_iter=3, save_img=False, pairs=None):
    model.validation(DataLoader(pairs or Pairs()), current_iter, None, save_img)
    return model.evaluations["pairs"]


def step(model, iteration):
    model.feed_data(next(iter(DataLoader(Pairs(), batch_size=2))))
    model.optimize_parameters(iteration)


def test_rows_hold_the_protocol_scores_of_input_and_output(options):
    model = build(options)
    rows = validate(model).rows
    assert [row.image for row in rows] == ["0", "1"]
    for row, pair in zip(rows, Pairs(), strict=False):
        with torch.no_grad():
            output = model.net_g_ema(pair["lq"][None])[0]
        protocol = PROTOCOLS["denoise_rgb"]
        assert row.input == pytest.approx(protocol.evaluate(pair["lq"], pair["gt"]))
        assert row.output == pytest.approx(protocol.evaluate(output, pair["gt"]), abs=1e-4)


def test_means_are_logged_and_the_best_is_kept(options):
    model = build(options)
    first = validate(model, current_iter=3).means()
    nn.init.constant_(model.net_g_ema.last.bias, 10.0)
    worse = validate(model, current_iter=4).means()
    assert worse["psnr"] < first["psnr"]
    assert model.metric_results == worse
    best = model.best_metric_results["pairs"]["psnr"]
    assert (best["val"], best["iter"]) == (first["psnr"], 3)


def test_single_metrics_of_basicsr_become_columns(options):
    block = {"type": "calculate_psnr", "crop_border": 2, "test_y_channel": True, "better": "higher"}
    options["val"] = {
        "metrics": {"psnr_y": block, "ours": {"type": "semanir_ssim", "better": "higher"}}
    }
    row = validate(build(options)).rows[0]
    assert row.input.keys() == row.output.keys() == {"psnr_y", "ours"}


def test_inputs_of_another_size_have_no_score(options):
    options["network_g"] = TINY_SR
    options["scale"] = 2
    options["val"]["protocol"] = "sr_y"
    rows = validate(
        build(options),
        pairs=Changed(lambda pair: {"lq": pair["lq"][:, ::2, :7], "gt": pair["gt"][..., :14]}),
    ).rows
    assert [row.input for row in rows] == [{}, {}]


@pytest.mark.parametrize(("view", "channels"), [(slice(0, 3), 3), (None, None), (slice(None), 6)])
def test_the_data_set_says_which_channels_of_an_input_are_a_picture(options, view, channels):
    options["network_g"] = TINY_UNET | {"in_chans": 6, "out_chans": 3}
    pairs = Changed(lambda pair: {"lq": pair["lq"].repeat(2, 1, 1)})
    pairs.input_view = view
    model = build(options)
    validate(model, pairs=pairs)
    parts = model.examples["pairs"].parts
    assert parts.get("input", np.empty((1, 1, 0))).shape[2] == (channels or 0)
    assert parts["output"].shape == parts["target"].shape == (12, 15, 3)


@pytest.mark.parametrize("is_train", [True, False])
def test_restored_images_are_written(options, is_train, tmp_path):
    options["is_train"] = is_train
    model = build(options)
    validate(model, current_iter=3, save_img=True)
    name = "pairs/0/0_3.png" if is_train else "pairs/0_run.png"
    written = read_image(tmp_path / "visualization" / name)
    with torch.no_grad():
        network = model.net_g_ema if is_train else model.net_g
        output = network.eval()(Pairs()[0]["lq"][None])[0].permute(1, 2, 0)
    torch.testing.assert_close(
        torch.from_numpy(written.copy()), output.clamp(0, 1), atol=0.6 / 255, rtol=0
    )


def test_a_network_that_declares_nothing_is_padded_by_option(options):
    options["val"]["size_multiple"] = 8
    options["train"]["ema_decay"] = 0
    model = build(options)
    seen = []

    class Foreign(nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return x

    model.net_g, model._built_k = Foreign(), None
    model.feed_data({"lq": torch.rand(1, 3, 5, 9)})
    model.test()
    assert seen == [(1, 3, 8, 16)]
    torch.testing.assert_close(model.output, model.lq)


def test_evaluation_leaves_training_as_it_was(options):
    options["train"] |= {"k": 3, "ema_decay": 0}
    options["val"]["k"] = 5
    model = build(options)
    kept = []
    model.net_g.register_forward_pre_hook(lambda net, _: kept.append((net.k, net.training)))
    step(model, 1)
    validate(model)
    step(model, 2)
    assert kept == [(3, True), (5, False), (5, False), (3, True)]


def test_without_val_k_the_network_keeps_what_it_was_built_with(options):
    options["train"] |= {"k": [2, 4], "ema_decay": 0}
    model = build(options)
    kept = []
    model.net_g.register_forward_pre_hook(lambda net, _: kept.append(net.k))
    step(model, 1)
    validate(model)
    assert kept[0] in (2, 4)
    assert kept[1:] == [TINY_UNET["k"]] * 2


def test_k_of_a_network_without_keys_is_refused(options):
    options["val"]["k"] = 5
    options["train"]["ema_decay"] = 0
    model = build(options)
    model.net_g, model._built_k = nn.Identity(), None
    model.feed_data({"lq": torch.rand(1, 3, 8, 8)})
    with pytest.raises(ValueError, match="val:k: received 5, but Identity has no k"):
        model.test()


def test_k_depends_on_seed_and_iteration_alone():
    drawn = [draw_k([64, 128, 512], 7, iteration) for iteration in range(3000)]
    assert drawn == [draw_k([64, 128, 512], 7, iteration) for iteration in range(3000)]
    assert drawn != [draw_k([64, 128, 512], 8, iteration) for iteration in range(3000)]
    counts = Counter(drawn)
    assert all(900 < counts[k] < 1100 for k in (64, 128, 512))
    assert draw_k(64, 7, 1) == 64


def test_basicsr_knows_one_optimizer_and_we_know_those_of_torch(options):
    assert isinstance(build(options).optimizer_g, torch.optim.AdamW)
    plain = host.load("basicsr.models.base_model").BaseModel(options)
    with pytest.raises(NotImplementedError, match="AdamW is not supperted"):
        plain.get_optimizer("AdamW", [nn.Parameter(torch.ones(1))], 1e-3)
    assert {"Adam", "AdamW", "SGD"} <= optimizers().keys()
    options["train"]["optim_g"]["type"] = "AdamV"
    with pytest.raises(ValueError, match="received 'AdamV'; did you mean 'Adam"):
        build(options)


def test_a_saved_network_file_is_complete(options, tmp_path):
    model = build(options)
    step(model, 1)
    model.save(epoch=0, current_iter=1)
    checkpoint = load_checkpoint(tmp_path / "models" / "net_g_1.pth", "params")
    assert checkpoint.network == TINY_UNET
    assert checkpoint.metadata["iter"] == 1
    torch.testing.assert_close(checkpoint.params, dict(model.net_g.state_dict()))
    averaged = load_checkpoint(tmp_path / "models" / "net_g_1.pth")
    torch.testing.assert_close(averaged.params, dict(model.net_g_ema.state_dict()))


def test_a_training_state_continues_the_optimizer(options, tmp_path):
    first = build(options)
    step(first, 1)
    first.save(epoch=0, current_iter=1)
    save_checkpoint(tmp_path / "1.state", first.training_state())
    options["path"]["pretrain_network_g"] = str(tmp_path / "models" / "net_g_1.pth")
    second = build(options)
    second.load_training_state(load_state(tmp_path / "1.state"))
    for model in (first, second):
        step(model, 2)
    torch.testing.assert_close(first.net_g.state_dict(), second.net_g.state_dict())
    torch.testing.assert_close(first.net_g_ema.state_dict(), second.net_g_ema.state_dict())


def test_a_model_writes_its_networks_and_the_engine_its_state(options, tmp_path):
    model = build(options)
    model.save(epoch=-1, current_iter=-1)
    assert (tmp_path / "models" / "net_g_latest.pth").is_file()
    assert not list((tmp_path / "training_states").iterdir())


def test_only_the_first_process_writes(options, tmp_path):
    model = build(options)
    model.opt["rank"] = 1
    model.save(epoch=0, current_iter=1)
    assert not list((tmp_path / "models").iterdir())


def test_weights_of_another_network_give_one_message(options, tmp_path):
    build(options).save(epoch=-1, current_iter=-1)
    options["path"]["pretrain_network_g"] = str(tmp_path / "models" / "net_g_latest.pth")
    options["network_g"] = TINY_SR
    with pytest.raises(CheckpointError, match="do not fit SemanIR") as error:
        build(options)
    assert "saved from SemanIRUNet(" in str(error.value)
    options["path"]["strict_load_g"] = False
    build(options)


def test_weights_without_an_average_start_both_networks(options, tmp_path):
    options["train"]["ema_decay"] = 0
    build(options).save(epoch=-1, current_iter=-1)
    options["path"]["pretrain_network_g"] = str(tmp_path / "models" / "net_g_latest.pth")
    options["train"]["ema_decay"] = 0.9
    model = build(options)
    torch.testing.assert_close(model.net_g.state_dict(), model.net_g_ema.state_dict())
