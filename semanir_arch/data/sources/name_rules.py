r"""How the name of an input tells the name of its target.

In an option file, `name_rule` is one of the names of `NAME_RULES`, or a pair of texts: a regular
expression, and what replaces it (`re.sub`). Names are relative paths without suffix, with `/`
between folders. An input that the expression does not match has no target.

    name_rule: raindrop                    # 0_rain -> 0_clean
    name_rule: ['_s\d+_a\d+$', '']         # im_0001_s80_a04 -> im_0001

`filename_tmpl` is BasicSR's way, from target to input: `{}x2` pairs `babyx2` with `baby`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from semanir_arch.utils.errors import InputError

NAME_RULES: dict[str, tuple[str, str]] = {
    # HR and LR, LOL, Rain100L, DPDD, Snow100K (synthetic and gt): equal names
    "same": (r"$", ""),
    # GoPro and HIDE as published: scene/blur/000001, scene/sharp/000001
    "gopro": (r"(^|/)blur(_gamma)?/", r"\1sharp/"),
    # Rain14000: 901_1 to 901_14 are made of 901
    "rain14000": (r"_\d+$", ""),
    # Rain100H and Rain100L as published: rain-001, norain-001
    "rain100": (r"(^|/)rain(?=-[^/]*$)", r"\1norain"),
    # Outdoor-Rain: im_0001_s80_a04 is made of im_0001
    "outdoor_rain": (r"_s\d+_a\d+$", ""),
    # RainDrop and its test sets: 0_rain, 0_clean
    "raindrop": (r"_rain$", "_clean"),
    # SIDD: 0001_NOISY_SRGB_010, 0001_GT_SRGB_010
    "sidd": (r"NOISY(?=_[^/]*$)", "GT"),
    # VE-LOL and LOL-v2: low00001, normal00001
    "ve_lol": (r"(^|/)low(?=\d+$)", r"\1normal"),
}
"""Published naming schemes: the part of an input's name that differs, and what replaces it."""


@dataclass(frozen=True)
class NameRule:
    """Rule from the name of an input to the name of its target.

    Args:
        pattern: Pattern to replace; the rule holds for names that contain it.
        replacement: Replacement, as for `re.sub`.
    """

    pattern: re.Pattern[str]
    replacement: str

    def target(self, name: str) -> str | None:
        """Name of the target; None where the rule does not hold."""
        target, replaced = self.pattern.subn(self.replacement, name, count=1)
        return target if replaced else None


class _IsRule:
    """Mark of values that `parse_name_rule` reads."""

    says_everything = True

    def accepts(self, value: Any) -> bool:
        """Whether a value is a rule."""
        try:
            parse_name_rule(value, "{}")
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return f"{', '.join(NAME_RULES)}, or [regular expression, replacement]"


NAME_RULE = Annotated[str | list[str], _IsRule()]
"""Type of the option."""


def parse_name_rule(rule: Any, template: Any) -> NameRule:
    """Read the options `name_rule` and `filename_tmpl`.

    Args:
        rule: A name of `NAME_RULES` or a pair of texts.
        template: Name of the input, with `{}` for that of the target; `{}` alone where `rule`
            decides.

    Raises:
        ValueError: One of them has another form, or both are given.
    """
    if not isinstance(template, str) or template.count("{}") != 1:
        raise InputError(f"filename_tmpl must be a text with one {{}}, received {template!r}")
    if template != "{}":
        if rule != "same":
            raise InputError(f"give name_rule or filename_tmpl, not both: {rule!r}, {template!r}")
        before, after = map(re.escape, template.split("{}"))
        return NameRule(re.compile(f"(^|.*/){before}([^/]+){after}$"), r"\1\2")
    if isinstance(rule, str):
        if rule not in NAME_RULES:
            allowed = ", ".join(NAME_RULES)
            raise InputError(f"name_rule {rule!r} is unknown; allowed: {allowed}, or a pair")
        rule = NAME_RULES[rule]
    if not (isinstance(rule, (list, tuple)) and len(rule) == 2 and all(map(_is_text, rule))):
        raise InputError(
            f"name_rule must be a name or [regular expression, replacement], received {rule!r}"
        )
    try:
        pattern = re.compile(rule[0])
        # the replacement may name groups that do not exist
        pattern.sub(rule[1], "")
    except (re.error, IndexError) as error:
        raise InputError(f"name_rule {list(rule)!r}: {error}") from error
    return NameRule(pattern, rule[1])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
