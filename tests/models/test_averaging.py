"""Averaged weights."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from semanir_arch import host
from semanir_arch.models.averaging import decay_at, update_average


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3))


def test_parameters_are_averaged():
    average, current = network(), network()
    before, now = (
        [p.detach().double().numpy().copy() for p in net.parameters()] for net in (average, current)
    )
    update_average(average, current, 0.9)
    for result, old, new in zip(average.parameters(), before, now, strict=True):
        torch.testing.assert_close(
            result.detach().double(), torch.from_numpy(0.9 * old + 0.1 * new), rtol=1e-6, atol=1e-7
        )


def test_buffers_are_copied_where_basicsr_forgets_them():
    current = network()
    average, forgotten = copy.deepcopy(current), copy.deepcopy(current)
    current(torch.rand(2, 3, 8, 8))
    model = object.__new__(host.load("basicsr.models.base_model").BaseModel)
    model.net_g, model.net_g_ema = current, forgotten
    model.model_ema(0.9)
    update_average(average, current, 0.9)
    mean = current[1].running_mean
    assert not torch.equal(forgotten[1].running_mean, mean)
    assert torch.equal(average[1].running_mean, mean)
    assert average[1].num_batches_tracked == 1
    torch.testing.assert_close(list(average.parameters()), list(forgotten.parameters()))


def test_no_decay_copies():
    average, current = network(), network()
    update_average(average, current, 0)
    torch.testing.assert_close(average.state_dict(), current.state_dict(), rtol=0, atol=0)


def test_the_decay_rises_in_the_warm_up():
    assert [decay_at(i, 0.999, True) for i in (1, 10, 8990, 10**6)] == pytest.approx(
        [2 / 11, 11 / 20, 8991 / 9000, 0.999]
    )
    assert decay_at(1, 0.999, False) == 0.999
