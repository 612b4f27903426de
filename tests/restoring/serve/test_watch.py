from __future__ import annotations

from threading import Event

import numpy as np
import pytest

from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.serve.watch import StoppedError, Watch
from tests.helpers import TINY, TINY_UNET, make_image, save_weights


@pytest.fixture(params=TINY)
def restorer(request, tmp_path):
    save_weights(tmp_path / "net.pth", {"type": request.param, **TINY[request.param]})
    return Restorer(tmp_path / "net.pth", "cpu", tile=32, overlap=8)


def test_progress_grows_to_one_and_changes_nothing(restorer):
    image = make_image((40, 50, 3))
    expected = restorer.restore(image)
    parts = []
    with Watch(restorer.network, parts.append, Event(), tile=0.5) as watch:
        restored = restorer.restore(image, progress=watch.advance)
    np.testing.assert_array_equal(restored, expected)
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert len(set(parts)) > 4
    assert not any(leaf._forward_pre_hooks for leaf in restorer.network.modules())


def test_a_network_is_stopped_between_two_layers(tmp_path):
    save_weights(tmp_path / "net.pth", TINY_UNET)
    restorer = Restorer(tmp_path / "net.pth", "cpu")
    stop, parts = Event(), []

    def report(part):
        parts.append(part)
        if len(parts) == 3:
            stop.set()

    with pytest.raises(StoppedError), Watch(restorer.network, report, stop):
        restorer.restore(make_image((8, 8, 3)))
    assert len(parts) == 3
    assert restorer.restore(make_image((8, 8, 3))).shape == (8, 8, 3)
