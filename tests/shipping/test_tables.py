"""Tables of the shipped networks: what reaches its goal is set in bold."""

from __future__ import annotations

from pathlib import Path

from semanir_arch.shipping.tables import GOALS, print_tables
from semanir_arch.weights import TASKS, ShippedWeights


def weights(task, scores, **training):
    record = {
        "network": {"type": "SemanIR"},
        "parameters": 1234,
        "training": {"minutes": 2.4, "iterations": 5678, "started_from": None, **training},
        "scores": [{"ssim": 0.9, "protocol": "y", **score} for score in scores],
    }
    return ShippedWeights(TASKS[task], Path("x"), record)


def test_levels_of_a_data_set_share_a_row():
    scores = [
        {"dataset": "CBSD68", "level": f"sigma {sigma}", "psnr": psnr, "psnr_input": given}
        for sigma, psnr, given in ((15, 33.904, 24.5), (25, 31.2, 20.5), (50, 28.0, 15.0))
    ]
    table = print_tables([weights("denoise", scores, started_from="a/b/jpeg.safetensors (3 of 9)")])
    assert "| `denoise` | SemanIR | 1,234 | `jpeg` | 5,678 | 2 |" in table
    assert (
        "| `denoise` | CBSD68 | sigma 15/25/50 | 24.50/20.50/15.00 | **33.90**/31.20/**28.00** "
        "| 33.90/31.24/27.95 (DnCNN) |"
    ) in table


def test_what_is_not_known_is_a_dash():
    scores = [{"dataset": "Set14", "level": "", "psnr": 33.3, "psnr_input": None}]
    table = print_tables([weights("sr_x2", scores)])
    assert "| `sr_x2` | SemanIR | 1,234 | - | 5,678 | 2 |" in table
    assert "| `sr_x2` | Set14 | - | - | 33.30 | - |" in table


def test_trainings_that_went_on_count_together():
    first = {"minutes": 6.6, "iterations": 1200, "started_from": "a/denoise.safetensors (3 of 9)"}
    entry = weights("jpeg", [], started_from="jpeg.safetensors (9 of 9)")
    record = {**entry.record, "earlier_trainings": [first]}
    table = print_tables([ShippedWeights(entry.task, entry.path, record)])
    assert "| `jpeg` | SemanIR | 1,234 | `denoise` | 1,200 + 5,678 | 7 + 2 |" in table


def test_a_start_from_a_training_that_went_on_is_named_by_its_task():
    start = "experiments/shipped_denoise_gray/models/net_g_2000.pth (12 of 14 tensors)"
    assert "| `denoise_gray` | 5,678 |" in print_tables([weights("jpeg", [], started_from=start)])


def test_every_goal_has_figures_and_those_of_tables_are_the_published_ones():
    figures = {key: goal.figures(*key) for key, goal in GOALS.items()}
    assert all(figures.values())
    assert figures["denoise_gray", "BSD68"] == (31.62, 29.16, 26.23)
    assert figures["jpeg_gray", "LIVE1"] == (29.19, 31.59, 32.98, 33.96)
    assert figures["demosaic", "McMaster"] == (37.09,)
