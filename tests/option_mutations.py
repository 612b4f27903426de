"""Every value of every option file made wrong, one at a time: what is refused, accepted, a crash.

    python -m tests.option_mutations             # all leaf files, every value, every kind

What is nonsense is said here, by the name of the option, and not taken from the declarations that
are tested. Values that may well be meant (a larger rate, another width) are not tried.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semanir_arch.runs.checks import check_evaluation, check_training
from semanir_arch.runs.class_schemas import build_catalogue
from semanir_arch.runs.dry_run import build_without_memory
from semanir_arch.utils.options import Catalogue, OptionError, Resolved, resolve, validate
from tests.leaves import OPTIONS, ROLES, name_of

Key = tuple[str, ...]

SIGNED = {"warmup_iter"}
"""Numbers of which only some are allowed below 0."""

ANY_SIGN = {"angle", "wind"}
"""Numbers that may be negative."""

FRACTIONS = {
    *("lr", "adam_lr", "betas", "eps", "weight_decay", "gamma", "eta_min", "eta_mins"),
    *("ema_decay", "loss_weight", "restart_weights", "clip_grad_norm", "mixup_beta", "sigma"),
    *("mlp_ratio", "ffn_expansion_factor", "bottleneck_expansion", "mix_expansion", "img_range"),
    *("exposure", "electrons", "read_noise", "length", "shake", "amount", "angle", "brightness"),
    *("size", "wind", "veil", "radius", "beta", "list", "strength", "highlights", "gain"),
    *("enlarge", "other", "layer_weights"),
}
"""Numbers that need not be whole."""

MAY_BE_ZERO = {
    *("num_gpu", "manual_seed", "num_worker_per_gpu", "warmup_iter", "ema_decay", "weight_decay"),
    *("eps", "betas", "eta_min", "eta_mins", "sigma", "read_noise", "length", "shake", "amount"),
    *("angle", "brightness", "wind", "veil", "out_chans", "depths", "final_depth", "blocks"),
    *("num_refinement_blocks", "momentum", "restarts", "max_nonfinite", "overlap", "radius"),
    *("crop_border", "strength", "gain"),
}

SHARES = {
    *("camera", "correlated", "gaussian", "compressed", "clean"),
    *("motion", "defocus", "both", "none", "sepia"),
}
"""Kinds of which an option gives the shares: fractions of any sum, also 0."""

MAY_BE_LIST = {
    *("k", "sigma", "quality", "window_size", "blocks", "length", "exposure", "electrons"),
    *("read_noise", "shake", "amount", "angle", "brightness", "size", "wind", "veil"),
    *("dataroot_gt", "dataroot_lq", "dataroot_left", "dataroot_right", "filename_tmpl"),
    *("name_rule", "meta_info_file", "radius", "strength", "highlights", "gain"),
    *("enlarge", "other"),
}
"""Options that take one value or several."""

MAY_BE_EMPTY = {"milestones", "ignore_resume_networks", "fresh_g"}
"""Lists of which none may be meant."""

FREE_TEXTS = {
    *("name", "suffix", "dataroot_gt", "dataroot_lq", "dataroot_left", "dataroot_right"),
    *("pretrain_network_g", "param_key_g", "resume_state", "filename_tmpl", "weights"),
    *("meta_info_file", "metric", "index_cache", "project", "resume_id"),
}
"""Texts of which any other one may be meant."""

EVERY_OPTION = Path(__file__).with_name("every_option.yml")
"""An option file in which every option has a value."""

FOLDERS = {"name", "suffix"}
"""Texts that become parts of paths."""


@dataclass(frozen=True)
class Mutation:
    """One value made wrong.

    Args:
        key: Where; the index of an item of a list is its last part.
        kind: In which way.
        options: All options with it.
        value: What stands there now.
    """

    key: Key
    kind: str
    options: dict[str, Any]
    value: Any

    def __str__(self) -> str:
        return f"{':'.join(self.key)}={self.value!r:.80} ({self.kind})"


def mutations(options: dict[str, Any], above: Key = ()) -> Iterator[tuple[Key, str, Any]]:
    """Key, kind and wrong value, for every value below a place in the options."""
    block: Any = options
    for part in above:
        block = block[part]
    for name, value in block.items():
        key = (*above, name)
        if (
            not name.startswith("l_")
            and name not in ("psnr", "ssim", "lpips", "niqe")
            and above != ("datasets",)
        ):
            yield key, "misspelled key", value
        yield key, "left out", value
        if isinstance(value, dict):
            yield key, "text for a block", "abc"
            yield key, "list for a block", [1]
            yield from mutations(options, key)
        else:
            yield from ((key, kind, wrong) for kind, wrong in wrong_values(name, value))


def wrong_values(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Kinds of nonsense in place of a value, each with an example."""
    if isinstance(value, bool):
        yield from (("number for a switch", 1), ("text for a switch", "abc"), ("null", None))
    elif isinstance(value, (int, float)):
        yield from wrong_numbers(name, value)
    elif isinstance(value, str):
        yield from (("number for a text", 3), ("block for a text", {"a": 1}))
        if name not in MAY_BE_LIST:
            yield "list for a text", [value]
        if name not in FREE_TEXTS:
            yield "misspelled", value + "x"
        if name in FOLDERS:
            yield from (("path", "a/b"), ("path up", ".."), ("path back", "a\\b"), ("empty", " "))
    elif isinstance(value, list):
        yield from wrong_lists(name, value)


def wrong_numbers(name: str, value: float) -> Iterator[tuple[str, Any]]:
    """Kinds of nonsense in place of a number."""
    yield from (("text for a number", "abc"), ("switch for a number", True))
    yield from (("block for a number", {"a": 1}), ("not finite", math.inf), ("no number", math.nan))
    if name not in MAY_BE_LIST:
        yield "list for a number", [value]
    if name not in SIGNED | ANY_SIGN:
        yield "negative", -abs(value) or -1
    if name in SIGNED:
        yield "far below", -1000
    is_share = name in SHARES or "_prob" in name
    if name not in FRACTIONS and not is_share:
        yield "fraction", value + 0.5
    if name not in MAY_BE_ZERO and not is_share:
        yield "zero", 0
    yield "huge", 10**30


def wrong_lists(name: str, value: list[Any]) -> Iterator[tuple[str, Any]]:
    """Kinds of nonsense in place of a list."""
    yield "block for a list", {"a": 1}
    if name not in MAY_BE_EMPTY:
        yield "empty list", []
    if not value or isinstance(value[0], dict):
        return
    yield "text for a list", "abc" if not isinstance(value[0], str) else 3
    wrong: list[tuple[str, Any]] = [
        ("switch in a list", True),
        ("block in a list", {"a": 1}),
        ("null in a list", None),
        ("list in a list", [value[-1]]),
    ]
    if isinstance(value[0], str):
        wrong.append(("number in a list", 3))
    else:
        wrong += [("text in a list", "abc"), ("not finite in a list", math.inf)]
        if name not in ANY_SIGN | {"list"}:
            wrong.append(("negative in a list", -abs(value[-1]) or -1))
        if name not in FRACTIONS:
            wrong.append(("fraction in a list", value[-1] + 0.5))
    yield from ((kind, [*value[:-1], item]) for kind, item in wrong)
    if name in ("depths", "num_heads", "widths", "betas", "heads", "num_blocks", "restart_weights"):
        yield "longer list", [*value, value[-1]]


def mutated(options: dict[str, Any], key: Key, kind: str, value: Any) -> Mutation:
    """Options with one thing wrong."""
    changed = copy.deepcopy(options)
    block = changed
    for part in key[:-1]:
        block = block[part]
    if kind == "misspelled key":
        del block[key[-1]]
        block[key[-1] + "x"] = value
    elif kind == "left out":
        del block[key[-1]]
    else:
        block[key[-1]] = value
    return Mutation(key, kind, changed, value)


def is_meant(mutation: Mutation) -> bool:
    """Whether the wrong value is another right one here."""
    name = mutation.key[-1]
    number_or_word = name in ("num_gpu", "tile")
    return number_or_word and mutation.kind in ("number for a text", "text for a number")


def judge(resolved: Resolved, catalogue: Catalogue, mutation: Mutation, is_train: bool) -> str:
    """`refused`, `accepted`, or what an error that is no message of ours says."""
    changed = replace(resolved, options=mutation.options)
    try:
        validate(changed, catalogue, is_train)
        if mutation.key[:1] in ((), ("network_g",)):
            try:
                build_without_memory(mutation.options["network_g"])
            except ValueError:
                return "refused"
        check_evaluation(changed)
        if is_train:
            check_training(changed)
    except OptionError as error:
        return "refused" if len(str(error)) < 4000 else f"endless message: {error!s:.200}"
    except Exception as error:  # noqa: BLE001 - what it must not come to is what is looked for
        return f"{type(error).__name__}: {error}"
    return "accepted"


def declaration_of(options: dict[str, Any], key: Key) -> tuple[Any, ...]:
    """What declares the value of a key: the class of its block, and its name."""
    block: Any = options
    kinds = []
    for part in key[:-1]:
        block = block[part]
        if isinstance(block, dict) and "type" in block:
            kinds.append(block["type"])
    place = key[0] if key[0] != "datasets" else key[1].split("_")[0] if len(key) > 1 else ""
    return (place, *kinds, *key[-2 if not kinds else -1 :])


def try_all(
    leaves: Iterable[tuple[Path, Any]],
    catalogue: Catalogue,
    skip: Callable[[tuple[Any, ...]], bool],
) -> tuple[Counter[str], list[str]]:
    """Make every value of some files wrong.

    Args:
        leaves: The files, and whether a training or a test reads them.
        catalogue: What is allowed in them.
        skip: Whether what declares a value, and the kind of the mutation, need not be tried.

    Returns:
        How often each verdict was given, and everything that is wrong.
    """
    counts, wrong = Counter[str](), []
    for leaf, role in leaves:
        resolved = resolve(leaf, role=role)
        is_train = role == "train"
        place = f"{name_of(leaf) if leaf.is_relative_to(OPTIONS) else leaf.name} ({role})"
        if judge(resolved, catalogue, Mutation((), "none", resolved.options, None), is_train) != (
            "accepted"
        ):
            wrong.append(f"{place}: refused as it is")
        for key, kind, value in mutations(resolved.options):
            if skip((declaration_of(resolved.options, key), kind)):
                continue
            mutation = mutated(resolved.options, key, kind, value)
            if is_meant(mutation):
                continue
            verdict = judge(resolved, catalogue, mutation, is_train)
            if verdict == "accepted" and kind == "left out":
                verdict = "default"
            counts[verdict if verdict in ("refused", "accepted", "default") else "crash"] += 1
            if verdict not in ("refused", "default"):
                wrong.append(f"{place}: {mutation}: {verdict}")
    return counts, wrong


def main(argv: list[str] | None = None) -> int:
    """Try everything on all leaf files, and print counts and what is wrong.

    Returns:
        0 if all nonsense was refused, else 1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("leaves", nargs="*", type=Path)
    given = [path.resolve() for path in parser.parse_args(argv).leaves]
    started = time.process_time()
    known = [*ROLES, (EVERY_OPTION, "train")]
    unknown = [str(path) for path in given if path not in {leaf for leaf, _ in known}]
    if unknown:
        parser.error(f"no leaf files: {', '.join(unknown)}")
    leaves = [pair for pair in known if not given or pair[0] in given]
    counts, wrong = try_all(leaves, build_catalogue(), skip=lambda _: False)
    for line in wrong[:200]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(
        f"{len(leaves)} files, {sum(counts.values()):,d} mutations: {counts['refused']:,d} "
        f"refused, {counts['default']:,d} replaced by a default, {counts['crash']} tracebacks, "
        f"{counts['accepted']} accepted; {time.process_time() - started:.0f} s of "
        "processor time\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
