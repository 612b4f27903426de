"""Frozen scores of every protocol on one photograph: figures must not move unnoticed.

The functions behind them are compared with independent ones in the other files of this folder.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.metrics import PROTOCOLS
from tests.each import each

SCORES = {
    5: {
        "denoise_rgb": (34.316913, 0.840888),
        "denoise_gray": (37.726626, 0.909054),
        "sr_y": (39.049619, 0.935015),
        "sr_y_semanir": (38.955344, 0.938021),
        "jpeg_gray": (37.726626, 0.909054, 37.726626),
        "jpeg_gray_semanir": (37.726626, 0.914970, 37.726626),
        "jpeg_color": (34.316913, 0.840888, 34.317215),
        "jpeg_color_semanir": (34.316913, 0.850957, 34.317215),
        "derain_y_matlab": (38.954633, 0.933595),
        "derain_y": (39.048547, 0.934871),
        "deblur_matlab": (34.316913, 0.897859),
        "realblur_aligned": (34.321840, 0.841108),
        "defocus_float": (34.331001, 0.846777, 0.015161),
        "sidd_blocks": (34.331001, 0.898095),
    },
    15: {
        "denoise_rgb": (24.905096, 0.481682),
        "denoise_gray": (28.282894, 0.611997),
        "sr_y": (29.603152, 0.672059),
        "sr_y_semanir": (29.591357, 0.691187),
        "jpeg_gray": (28.282894, 0.611997, 28.282894),
        "jpeg_gray_semanir": (28.282894, 0.634961, 28.282894),
        "jpeg_color": (24.905096, 0.481682, 24.876731),
        "jpeg_color_semanir": (24.905096, 0.510107, 24.876731),
        "derain_y_matlab": (29.592665, 0.670829),
        "derain_y": (29.604815, 0.671357),
        "deblur_matlab": (24.905096, 0.597075),
        "realblur_aligned": (24.941583, 0.483974),
        "defocus_float": (24.906293, 0.502839, 0.044657),
        "sidd_blocks": (24.906293, 0.597106),
    },
    50: {
        "denoise_rgb": (15.283892, 0.160964),
        "denoise_gray": (18.572910, 0.244220),
        "sr_y": (19.893358, 0.270350),
        "sr_y_semanir": (19.892109, 0.304480),
        "jpeg_gray": (18.572910, 0.244220, 18.572910),
        "jpeg_gray_semanir": (18.572910, 0.277977, 18.572910),
        "jpeg_color": (15.283892, 0.160964, 15.255209),
        "jpeg_color_semanir": (15.283892, 0.192482, 15.255209),
        "derain_y_matlab": (19.893575, 0.270145),
        "derain_y": (19.894831, 0.270236),
        "deblur_matlab": (15.283892, 0.231907),
        "realblur_aligned": (15.512469, 0.168384),
        "defocus_float": (15.284021, 0.186666, 0.135692),
        "sidd_blocks": (15.284021, 0.231910),
    },
}
"""By noise level on the 0-255 scale: PSNR, SSIM, and what else the protocol names. One protocol
stands for all that measure in its way."""


def way(name):
    """What decides the scores of a protocol."""
    p = PROTOCOLS[name]
    return p.color, p.ssim_kind, p.rounding, p.crop_border, p.extras, p.aligned


@pytest.fixture(scope="module")
def photo():
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    return data.astronaut()[:256, 128:384]


@each("sigma", SCORES)
@each("name", PROTOCOLS)
def test_scores_of_a_photograph_are_the_recorded_ones(photo, sigma, name):
    noise = np.random.RandomState(0).normal(0, sigma, photo.shape)
    noisy = (photo + noise).clip(0, 255)
    pair = (torch.from_numpy(image.transpose(2, 0, 1) / 255) for image in (noisy, photo))
    scores = PROTOCOLS[name].evaluate(*pair, scale=2)
    # alignment is an iterative search in single precision
    tolerance = 2e-3 if PROTOCOLS[name].aligned else 1e-6
    (expected,) = (values for other, values in SCORES[sigma].items() if way(other) == way(name))
    assert list(scores.values()) == pytest.approx(expected, abs=tolerance)
