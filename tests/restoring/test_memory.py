"""Memory: that of the image and of one tile, measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.helpers import ROOT
from tests.restoring.networks import save_plain

resource = pytest.importorskip("resource", reason="not on Windows")
pytestmark = [pytest.mark.slow]

START = """
import resource, sys
from semanir_arch.commands import restore as cli
from tests.restoring.networks import register

register()
megabytes = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""


def run(code, folder):
    result = subprocess.run(
        [sys.executable, "-c", START + code, str(folder)],
        cwd=ROOT,
        env={"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result


MEASURE = """
folder = sys.argv[1]
def restore(name):
    return cli.main([f"{folder}/{name}.png", "-o", f"{folder}/out", "--weights",
                     f"{folder}/net.pth", "--device", "cpu"])
assert restore("small") == 0
before = megabytes()
assert restore("large") == 0
print((megabytes() - before) * 2**20 / (6000 * 4000))
"""


def test_a_large_photo_takes_a_few_bytes_per_pixel(tmp_path):
    """24 megapixels; in floating point, the image and its result alone would take 24 bytes."""
    save_plain(tmp_path / "net.pth")
    rows = (np.arange(4000)[:, None, None] // 16 + np.arange(3) * 40).astype(np.uint8)
    large = np.broadcast_to(rows, (4000, 6000, 3)) + np.zeros((1, 6000, 1), np.uint8)
    cv2.imwrite(str(tmp_path / "large.png"), large)
    cv2.imwrite(str(tmp_path / "small.png"), large[:600, :600])
    bytes_per_pixel = float(run(MEASURE, tmp_path).stdout.splitlines()[-1])
    assert bytes_per_pixel < 18
    assert (cv2.imread(str(tmp_path / "out/large.png")) == large).all()


LIMITED = """
folder = sys.argv[1]
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 900 * 2**20,) * 2)
sys.exit(cli.main([f"{folder}/photo.png", "-o", f"{folder}/out", "--weights",
                   f"{folder}/net.pth", "--device", "cpu", *sys.argv[2:]]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_where_memory_is_short_smaller_tiles_are_taken(tmp_path):
    """The network would need 2 GB for the whole image and 800 MB for the largest tile."""
    save_plain(tmp_path / "net.pth", appetite=3000)
    photo = np.zeros((800, 900, 3), np.uint8)
    photo[::7, ::5] = 200
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    run(LIMITED, tmp_path)
    assert (cv2.imread(str(tmp_path / "out/photo.png")) == photo).all()
