"""The file of published figures: complete entries, plausible numbers, nothing twice."""

from __future__ import annotations

from collections import defaultdict
from importlib import resources

import pytest

from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.report.published import load_published, parse_published
from semanir_arch.tasks import TASKS
from tests.leaves import LEAVES, options_of

PUBLISHED = load_published()
PLAUSIBLE = {"psnr": (18, 48), "ssim": (0.7, 1), "mae": (0.01, 0.1), "lpips": (0.05, 0.3)}

MINIMAL = """
sets: {A: 3}
networks: {N: {type: T, parameters: [1.0, 2.0]}}
tables:
  - paper: P
    table: t
    source: s
    task: sr
    level: scale
    metrics: [psnr, ssim]
    columns: {A: [2, 3]}
    groups:
      - protocol: sr_y
        rows:
          N: 30.1/0.9 _
          M: 31.0/_ 29.0/0.85
"""


def test_the_layout_is_that_of_a_table():
    published = parse_published(MINIMAL)
    found = [(f.network, f.level, f.metric, f.value) for f in published.figures]
    assert found == [
        ("N", 2.0, "psnr", 30.1),
        ("N", 2.0, "ssim", 0.9),
        ("M", 2.0, "psnr", 31.0),
        ("M", 3.0, "psnr", 29.0),
        ("M", 3.0, "ssim", 0.85),
    ]
    assert published.images == {"A": 3}
    assert published.name_of("T", 1_500_000) == ["N"]
    assert published.name_of("T", 2_500_000) == published.name_of("U", 1_500_000) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("30.1/0.9 _", "30.1/0.9", "P, t, N: 1 cells for 2 columns"),
        ("30.1/0.9 _", "30.1 _", "'30.1' must hold psnr/ssim"),
        ("sr_y", "sr_x", "unknown protocol 'sr_x'"),
        ("task: sr", "task: rs", "unknown task 'rs'"),
        ("columns: {A: [2, 3]}", "columns: {A: [2, 2]}", "P, t, M, A 2.0 is given twice"),
        ("30.1/0.9 _", "x/0.9 _", "could not convert"),
    ],
)
def test_mistakes_in_the_file_are_found(old, new, message):
    with pytest.raises(ValueError, match=message):
        parse_published(MINIMAL.replace(old, new))


def test_every_figure_has_a_source_and_a_plausible_value():
    assert len(PUBLISHED.figures) > 1000
    for figure in PUBLISHED.figures:
        assert figure.source
        assert figure.paper
        assert figure.table
        low, high = PLAUSIBLE[figure.metric]
        assert low < figure.value < high, figure


def test_levels_are_those_of_the_task():
    allowed = {"sigma": {15, 25, 50}, "quality": {10, 20, 30, 40}, "scale": {2, 3, 4}, None: {None}}
    for figure in PUBLISHED.figures:
        assert figure.level in allowed[TASKS[figure.task].strength], figure


def test_a_figure_is_of_the_task_of_its_protocol():
    for figure in PUBLISHED.figures:
        own = "defocus" if figure.task == "defocus_dual" else figure.task
        assert PROTOCOLS[figure.protocol].task == own, figure


def test_stronger_degradations_have_lower_figures():
    """A slip between two columns would break the order."""
    rows = defaultdict(list)
    for f in PUBLISHED.figures:
        if f.level is not None and f.metric == "psnr":
            rows[f.paper, f.label, f.task, f.dataset, f.table].append((f.level, f.value))
    for key, points in rows.items():
        values = [value for _, value in sorted(points)]
        ordered = sorted(values, reverse=not key[2].startswith("jpeg"))
        assert values == ordered, key


def test_papers_that_quote_one_network_agree_within_a_tenth_of_a_decibel():
    cells = defaultdict(set)
    for f in PUBLISHED.figures:
        if f.metric == "psnr" and f.network == "Restormer" and f.task != "derain":
            cells[f.task, f.blind, f.dataset, f.level].add(f.value)
    assert all(max(values) - min(values) < 0.06 for values in cells.values())
    assert sum(len(values) > 1 for values in cells.values()) > 5


def test_sets_have_the_names_of_the_option_files():
    blocks = [options_of(leaf, "test")["datasets"] for leaf in LEAVES]
    ours = {block["name"] for group in blocks for block in group.values()}
    shared = {figure.dataset for figure in PUBLISHED.figures} & ours
    assert len(shared) >= 20
    # sets that no option file measures: what a benchmark server scores, and parts of a set
    others = {figure.dataset for figure in PUBLISHED.figures} - ours
    assert others <= {"BSDS500", "DND", "DPDD_indoor", "DPDD_outdoor"}


@pytest.mark.parametrize(
    ("kind", "parameters", "name"),
    [
        ("SemanIRUNet", 25_817_699, "KGT"),
        ("SemanIR", 11_869_991, "KGT-S"),
        ("SemanIR", 20_043_495, "KGT-B"),
        ("Restormer", 26_126_644, "Restormer"),
        ("Restormer", 26_109_076, "Restormer"),
    ],
)
def test_published_sizes_are_recognised(kind, parameters, name):
    assert PUBLISHED.name_of(kind, parameters) == [name]
    assert {figure.network for figure in PUBLISHED.figures} >= {name}


def test_the_file_is_read_from_the_package():
    text = resources.files("semanir_arch.report").joinpath("published.yml").read_text()
    assert parse_published(text) == PUBLISHED
