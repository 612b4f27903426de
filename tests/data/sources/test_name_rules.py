from __future__ import annotations

import pytest

from semanir_arch.data.sources.name_rules import NAME_RULES, parse_name_rule
from tests.each import each

PUBLISHED = [
    ("same", "low/1", "low/1"),
    ("gopro", "GOPR0384_11_00/blur/000001", "GOPR0384_11_00/sharp/000001"),
    ("gopro", "GOPR0384_11_00/blur_gamma/000001", "GOPR0384_11_00/sharp/000001"),
    ("rain14000", "901_14", "901"),
    ("rain100", "rain-001", "norain-001"),
    ("outdoor_rain", "im_0001_s80_a04", "im_0001"),
    ("raindrop", "data/0_rain", "data/0_clean"),
    ("sidd", "0001_001_S6_NOISY/0001_NOISY_SRGB_010", "0001_001_S6_NOISY/0001_GT_SRGB_010"),
    ("ve_lol", "Low/low00001", "Low/normal00001"),
]


@each("rule, name, target", PUBLISHED)
def test_published_names_lead_to_their_targets(rule, name, target):
    assert parse_name_rule(rule, "{}").target(name) == target


def test_every_rule_has_an_example():
    assert {rule for rule, _, _ in PUBLISHED} == set(NAME_RULES)


def test_an_expression_of_ones_own():
    rule = parse_name_rule([r"^input_(\d+)$", r"target_\1"], "{}")
    assert rule.target("input_12") == "target_12"
    assert rule.target("other_12") is None


@pytest.mark.parametrize(
    ("template", "name", "target"),
    [
        ("{}x2", "babyx2", "baby"),
        ("{}x2", "set/babyx2", "set/baby"),
        ("LR_{}", "a.b/LR_c", "a.b/c"),
        ("{}+x", "baby+x", "baby"),
        ("{}x2", "baby", None),
        ("{}x2", "x2", None),
        ("{}", "baby", "baby"),
    ],
)
def test_templates_are_read_backwards(template, name, target):
    assert parse_name_rule("same", template).target(name) == target


@pytest.mark.parametrize(
    ("rule", "template", "message"),
    [
        ("rian", "{}", "name_rule 'rian' is unknown; allowed: same, gopro"),
        (["a", "b", "c"], "{}", r"must be a name or \[regular expression, replacement\]"),
        (["(", ""], "{}", r"name_rule \['\(', ''\]: "),
        (["a", r"\3"], "{}", "invalid group reference 3"),
        ("same", "x2", "filename_tmpl must be a text with one {}, received 'x2'"),
        ("same", "{}{}", "filename_tmpl must be a text with one {}"),
        ("raindrop", "{}x2", "not both: 'raindrop', '{}x2'"),
    ],
)
def test_other_rules_are_refused(rule, template, message):
    with pytest.raises(ValueError, match=message):
        parse_name_rule(rule, template)
