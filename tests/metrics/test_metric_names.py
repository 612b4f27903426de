"""Names of scores: unique, and never those of a protocol."""

from __future__ import annotations

import pytest
import torch

from semanir_arch.metrics import PROTOCOLS
from semanir_arch.metrics.metric_names import is_lower_better, name_metrics, protocol_scores
from tests.each import each

PSNR = {"type": "calculate_psnr", "crop_border": 0}


@each("protocol", PROTOCOLS)
def test_a_protocol_knows_the_names_of_its_scores(protocol):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1 if "gray" in protocol else 3, 24, 24, generator=generator)
    # alignment needs structure that is alike
    restored = (target + 0.02 * torch.rand(target.shape, generator=generator)).clamp(0, 1)
    scores = PROTOCOLS[protocol].evaluate(restored, target, scale=2)
    assert tuple(scores) == protocol_scores(protocol)


@pytest.mark.parametrize(
    ("given", "protocol", "labels"),
    [
        (["psnr", "niqe"], None, ["psnr", "niqe"]),
        (["psnr", "niqe"], "denoise_rgb", ["psnr_metrics", "niqe"]),
        (["PSNR", "ssim"], "denoise_rgb", ["PSNR_metrics", "ssim_metrics"]),
        (["mae", "psnr_b"], "defocus_float", ["mae_metrics", "psnr_b"]),
        (["psnr_b"], "jpeg_gray", ["psnr_b_metrics"]),
        # tables write them in capitals
        (["y", "Y"], None, ["y", "Y_metrics"]),
        (["psnr_metrics", "psnr"], "denoise_rgb", ["psnr_metrics", "psnr_metrics_metrics"]),
    ],
)
def test_labels_are_unique_and_no_protocols(given, protocol, labels):
    named = name_metrics(dict.fromkeys(given, PSNR), protocol)
    assert list(named) == labels
    assert [extra.name for extra in named.values()] == given


def test_lower_is_better_where_the_metric_is_an_error():
    extras = name_metrics(
        {
            "lpips": {"type": "semanir_lpips"},
            "niqe": {"type": "calculate_niqe", "crop_border": 0},
            "odd": {**PSNR, "better": "lower"},
            "y": PSNR,
        },
        "defocus_float",
    )
    lower = [n for n in (*protocol_scores("defocus_float"), *extras) if is_lower_better(n, extras)]
    assert lower == ["mae", "lpips", "niqe", "odd"]


def test_only_the_lpips_of_papers_stands_beside_theirs():
    blocks = {
        "a": {"type": "semanir_lpips", "better": "lower"},
        "b": {"type": "semanir_lpips", "net": "alex", "crop_border": 0},
        "c": {"type": "semanir_lpips", "net": "vgg"},
        "lpips": PSNR,
    }
    extras = name_metrics(blocks, "defocus_float").values()
    assert [extra.published_as for extra in extras] == ["lpips", "lpips", None, None]
