"""BasicSR's model classes work with what their authors did not think of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from semanir_arch import host
from semanir_arch.models import host_models


class Windows(nn.Module):
    """Takes only sides that 12 divides, and doubles the size."""

    def forward(self, x):
        assert x.shape[-1] % 12 == x.shape[-2] % 12 == 0
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def make_model(window_size):
    swinir = host.load("basicsr.models.swinir_model").SwinIRModel
    model = swinir.__new__(swinir)
    vars(model).update(
        opt={"scale": 2, "network_g": {"window_size": window_size}},
        net_g=Windows(),
        lq=torch.rand(1, 3, 13, 24),
    )
    return model


def test_the_window_of_swinir_may_be_a_list():
    host_models.repair()
    repaired = host.load("basicsr.models.swinir_model").SwinIRModel.test
    with pytest.raises(TypeError):
        repaired.__wrapped__(make_model([4, 3]))
    for window_size in (12, [4, 3], [[4, 4], [3, 3]], (12,)):
        model = make_model(window_size)
        model.test()
        assert torch.equal(model.output, model.lq.repeat_interleave(2, -1).repeat_interleave(2, -2))
        assert model.opt["network_g"] == {"window_size": window_size}
    host_models.repair()
    assert host.load("basicsr.models.swinir_model").SwinIRModel.test is repaired


def test_networks_of_this_package_pad_themselves():
    host_models.repair()
    model = make_model(5)
    seen = []

    class Network(nn.Module):
        size_multiple = 8

        def forward(self, x):
            seen.append(x.shape)
            return x

    model.opt["scale"], model.net_g = 1, Network()
    model.test()
    assert seen == [model.lq.shape]
