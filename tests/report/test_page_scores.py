"""Scores in the page's list, also where some are missing, infinite or not a number."""

from __future__ import annotations

import math

from semanir_arch.report.page_pictures import PagePicture
from semanir_arch.report.page_scores import (
    column_label,
    describe_scores,
    gain_histograms,
    score_cells,
    score_columns,
)


def picture(before, after, dataset="A"):
    return PagePicture("a", dataset, scores_in=before, scores_out=after)


def texts(before, after):
    one = picture(before, after)
    return [cell.text for cell in score_cells(one, score_columns([one]))]


def test_columns_are_those_that_some_picture_fills():
    restored = picture({"psnr": 20.0}, {"psnr": 30.0, "ssim": 0.9})
    columns = score_columns([restored, picture({}, {"niqe": 4.0})])
    labels = [column_label(*column) for column in columns]
    assert labels == ["PSNR in", "PSNR out", "PSNR gain", "SSIM out", "NIQE out"]
    assert column_label("lpips", "gain") == "LPIPS change"
    assert [cell.text for cell in score_cells(restored, columns)][-1] == ""


def test_numbers_have_the_digits_of_papers_and_gains_a_sign():
    scores = {"psnr": 20.126, "ssim": 0.51234}, {"psnr": 19.0, "ssim": 0.6}
    assert texts(*scores) == ["20.13", "19.00", "\u22121.13", "0.5123", "0.6000", "+0.0877"]


def test_cells_are_sorted_by_the_full_number():
    one = picture({}, {"psnr": 1 / 3})
    assert [cell.key for cell in score_cells(one, score_columns([one]))] == [repr(1 / 3)]


def test_infinite_scores_are_shown_and_what_is_no_number_is_a_dash():
    one = picture({"psnr": math.inf}, {"psnr": math.inf})
    cells = score_cells(one, score_columns([one]))
    assert [(cell.text, cell.key) for cell in cells] == [
        ("\u221e", "inf"),
        ("\u221e", "inf"),
        ("\u2013", ""),
    ]


def test_a_picture_is_described_in_a_line():
    one = picture({"psnr": 20.0}, {"psnr": 30.0, "niqe": 4.0})
    assert describe_scores(one) == "PSNR 20.00 to 30.00 (+10.00) \u00b7 NIQE 4.0000"
    assert describe_scores(picture({}, {})) == ""


def test_each_set_has_a_histogram_of_its_gain():
    pictures = [
        picture({"psnr": 20.0}, {"psnr": 30.0}),
        picture({"psnr": 20.0}, {"psnr": 31.0}),
        picture({"psnr": 20.0}, {"psnr": 25.0}, "B"),
    ]
    first, second = gain_histograms(pictures)
    assert (first.title, first.x_label) == ("PSNR gain, A", "PSNR gain [dB]")
    assert sum(int(row[1]) for row in first.rows) == 2
    assert second.title == "PSNR gain, B"


def test_without_scores_of_the_input_the_outputs_are_distributed():
    (chart,) = gain_histograms([picture({}, {"ssim": 0.9})])
    assert (chart.title, chart.x_label) == ("SSIM out, A", "SSIM out")
    assert gain_histograms([picture({}, {})]) == []
