"""Tables as in papers: our means, theirs, the difference, and what cannot be compared."""

from __future__ import annotations

import pytest

from semanir_arch.data import DualPixelDefocusDataset, PairedRestorationDataset
from semanir_arch.metrics.scores import Evaluation, Row
from semanir_arch.report.comparison import compare
from semanir_arch.report.k_curve import draw_k_curves, tabulate_k_curve
from semanir_arch.report.measurement import Measurement, Subject, measured_level, measured_task
from semanir_arch.report.published import parse_published
from tests.each import each

FIGURES = """
sets: {CBSD68: 2}
networks: {Net: {type: T, parameters: [1.0, 2.0]}}
tables:
  - &table
    paper: Net, a paper
    table: denoising
    source: page 5
    task: denoising_color
    level: sigma
    metrics: [psnr]
    columns: {CBSD68: [15, 25], Kodak24: [15, 25]}
    groups:
      - {protocol: denoise_rgb, rows: {Net: 34.0 32.0 35.0 33.0, Old: 33.0 _ 34.0 32.0}}
      - {protocol: denoise_rgb, blind: true, rows: {Net: 33.9 31.9 34.9 32.9}}
  - {<<: *table, paper: Later, columns: {CBSD68: [15]}, groups: [
      {protocol: denoise_rgb, rows: {Net: 34.0, Old: 33.1}}]}
  - {<<: *table, paper: Recalled, table: t3, source: memory, verified: false,
     columns: {Kodak24: [25]}, groups: [{protocol: denoise_rgb, rows: {Rare: 30.5}}]}
  - {<<: *table, paper: Odd, table: ssims, metrics: [ssim], columns: {CBSD68: [15]},
     groups: [{protocol: weather_y, rows: {Net: 0.9}}]}
"""

PUBLISHED = parse_published(FIGURES)
NET = Subject("T", 1_500_000, "net.pth", "aa")


def measured(dataset, sigma, psnr, subject=NET, images=2, protocol="denoise_rgb", **setting):
    rows = [
        Row(str(i), {"psnr": 20.0}, {"psnr": psnr, "ssim": 0.95}, seconds=2.0)
        for i in range(images)
    ]
    return Measurement(
        Evaluation(dataset, protocol, rows),
        subject,
        {"sigma": sigma, **setting},
        "denoise",
        sigma,
    )


def rows_of(table):
    return {row[0]: row[1:] for row in table.rows}


@pytest.fixture
def psnr():
    ours = [
        measured(name, sigma, value)
        for sigma, values in ((15, (34.1, 35.25)), (25, (31.5, 33.0)))
        for name, value in zip(("CBSD68", "Kodak24"), values, strict=True)
    ]
    return compare(ours, PUBLISHED)[0]


def test_levels_of_one_set_stand_side_by_side(psnr):
    assert psnr.title == "PSNR: Color denoising (protocol: denoise_rgb)"
    columns = ["CBSD68 sigma 15", "CBSD68 sigma 25", "Kodak24 sigma 15", "Kodak24 sigma 25"]
    assert psnr.header == ["network", *columns]
    rows = rows_of(psnr)
    assert rows["input, measured here"] == ["20.00"] * 4
    assert rows["Net"] == ["34.00", "32.00", "35.00", "33.00"]
    assert rows["Old, from Net"] == ["33.00", "-", "34.00", "32.00"]
    assert rows["ours (T)"] == ["34.10", "31.50", "35.25", "33.00"]


def test_the_difference_is_to_the_same_network_and_as_blind(psnr):
    """One file for both levels is a blind network."""
    rows = rows_of(psnr)
    assert rows["ours (T) - Net (blind)"] == ["+0.20", "-0.40", "+0.35", "+0.10"]
    assert "ours (T) - Net" not in rows
    own = [
        measured("CBSD68", s, 33.0, Subject("T", 1_500_000, f"{s}.pth", str(s))) for s in (15, 25)
    ]
    rows = rows_of(compare(own, PUBLISHED)[0])
    assert rows["ours (T) - Net"] == ["-1.00", "+1.00"]
    assert "ours (T) - Net (blind)" not in rows


def test_at_one_level_both_kinds_are_compared():
    rows = rows_of(compare([measured("CBSD68", 15, 34.0)], PUBLISHED)[0])
    assert rows["ours (T) - Net"] == ["+0.00"]
    assert rows["ours (T) - Net (blind)"] == ["+0.10"]


def test_papers_that_agree_share_a_row_and_others_have_their_own(psnr):
    assert [row[0] for row in psnr.rows].count("Net") == 1
    assert rows_of(psnr)["Old, from Later"] == ["33.10", "-", "-", "-"]


def test_what_was_not_read_is_marked(psnr):
    assert rows_of(psnr)["Rare, from Recalled"] == ["-", "-", "-", "30.50?"]
    assert "?: Recalled; read from: memory." in psnr.notes
    assert "Net: Net, a paper; read from: page 5." in psnr.notes


def test_a_part_of_a_set_is_not_compared():
    table = compare([measured("CBSD68", 15, 34.0, images=1)], PUBLISHED)[0]
    rows = rows_of(table)
    assert rows["Net"] == ["34.00*"]
    assert not any(" - " in label for label in rows)
    assert "*: 1 of the 2 images of CBSD68; not comparable." in table.notes


def test_another_protocol_is_not_compared():
    ssim = compare([measured("CBSD68", 15, 34.0)], PUBLISHED)[1]
    assert ssim.title.startswith("SSIM")
    assert rows_of(ssim)["Net, from Odd"] == ["0.900*"]
    told = "*: measured by protocol weather_y, not denoise_rgb; not comparable."
    assert told in ssim.notes


def test_ssims_of_two_kinds_are_not_compared_but_their_psnr_is():
    """The difference between BasicSR's SSIM and that of the paper's code exceeds its gain."""
    rows = [Row(str(i), {}, {"psnr": 30.36, "ssim": 0.8249}) for i in range(5)]
    subject = Subject("SemanIRUNet", 25_817_699)
    evaluation = Evaluation("classic5", "jpeg_gray", rows)
    one = Measurement(evaluation, subject, {}, "jpeg_gray", 10.0)
    psnr, ssim = map(rows_of, compare([one]))
    assert psnr["ours (SemanIRUNet) - KGT"] == ["+0.00"]
    assert ssim["KGT"] == ["0.8267*"]
    assert ssim["SwinIR, from KGT"] == ["0.8249"]
    assert not any(label.startswith("ours (SemanIRUNet) -") for label in ssim)
    evaluation = Evaluation("classic5", "jpeg_gray_semanir", rows)
    one = Measurement(evaluation, subject, {}, "jpeg_gray", 10.0)
    assert rows_of(compare([one])[1])["ours (SemanIRUNet) - KGT"] == ["-0.0018"]


def test_a_network_without_figures_is_said_to_have_none():
    table = compare([measured("CBSD68", 15, 34.0, Subject("T", 5_000_000))], PUBLISHED)[0]
    assert "There are no figures of this network (T, 5.00 million parameters)." in table.notes


def test_settings_that_are_no_levels_have_rows():
    ours = [measured("CBSD68", 15, value, k=k) for k, value in ((64, 33.0), (128, 33.5))]
    rows = rows_of(compare(ours, PUBLISHED)[0])
    assert rows["ours (T), k=64"] == ["33.00"]
    assert rows["ours (T), k=128 - Net"] == ["-0.50"]


def test_the_curve_has_a_point_for_each_k():
    ours = [
        measured("CBSD68", sigma, 30.0 + sigma + k / 64, k=k)
        for sigma in (15, 25)
        for k in (128, 64)
    ]
    curves = {curve.quantity: curve for curve in draw_k_curves(ours)}
    assert curves["psnr"].series["CBSD68 sigma 15"] == [(64, 46.0), (128, 47.0)]
    assert curves["seconds per image"].series["CBSD68 sigma 25"] == [(64, 2.0), (128, 2.0)]
    table = tabulate_k_curve(curves["psnr"])
    assert table.header == ["k", "CBSD68 sigma 15", "CBSD68 sigma 25"]
    assert table.rows == [["64", "46.00", "56.00"], ["128", "47.00", "57.00"]]


def test_without_a_swept_k_there_is_no_curve():
    assert draw_k_curves([measured("CBSD68", 15, 30.0)]) == []


@each(
    "protocol, block, task, level",
    [
        ("denoise_rgb", {"sigma": 25}, "denoise", 25.0),
        ("jpeg_gray_semanir", {"quality": 10}, "jpeg_gray", 10.0),
        ("sr_y", {}, "sr", 4.0),
        ("deblur_matlab", {}, "deblur", None),
        ("defocus_float", {}, "defocus", None),
        ("denoise_rgb", {"sigma": [0, 50]}, "denoise", None),
        (None, {"sigma": 25}, None, None),
    ],
)
def test_task_and_level_are_those_of_the_protocol(protocol, block, task, level):
    assert measured_task(protocol, PairedRestorationDataset) == task
    assert measured_level(task, block, scale=4) == level


def test_a_data_set_of_one_task_says_so():
    assert measured_task("defocus_float", DualPixelDefocusDataset) == "defocus_dual"
    assert measured_task(None, DualPixelDefocusDataset) == "defocus_dual"
