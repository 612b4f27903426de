"""From the command line of test.py to what is tested: one point for each swept value."""

from __future__ import annotations

import itertools
import json
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from semanir_arch.bridges.opening import find_weights
from semanir_arch.bridges.testing import foreign_network
from semanir_arch.runs.checks import check_devices, check_evaluation, check_network
from semanir_arch.runs.prepare import complete_options, to_run
from semanir_arch.runs.result_names import check_set_names
from semanir_arch.runs.run import Run
from semanir_arch.runs.weights_file import WeightsFile, read_weights_file
from semanir_arch.utils.options import (
    OptionError,
    Problem,
    Resolved,
    check_files,
    hint,
    leave_out_missing,
    resolve,
)
from semanir_arch.utils.options.basicsr_keys import ROOT, TEST_ROOT
from semanir_arch.utils.options.inheritance import Merged, merge_file
from semanir_arch.utils.options.problems import shown
from semanir_arch.utils.options.yaml_reading import parse_value
from semanir_arch.utils.same_names import folded

__all__ = ["Sweep", "SweepPoint", "prepare_sweep"]

_OURS = "RestorationModel"
"""The model class of this package; the options of others are BasicSR's alone."""

_PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")


@dataclass(frozen=True)
class SweepPoint:
    """One test: complete options with one value for everything.

    Args:
        setting: Values of the swept options by name; empty if nothing is swept.
        run: The test.
        weights: File of weights to test; None for random weights.
        missing: Reason for each data set that was left out, by its name.
    """

    setting: dict[str, Any]
    run: Run
    weights: WeightsFile | None = None
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The setting in words, such as `sigma=25 k=64`."""
        return " ".join(f"{name}={value}" for name, value in self.setting.items())

    @property
    def folder(self) -> str:
        """Name of a folder for its images; empty if nothing is swept."""
        return "_".join(f"{name}{_in_path(value)}" for name, value in self.setting.items())


def _in_path(value: Any) -> str:
    return re.sub(r"[^\w.+-]+", "-", str(value)).strip("-")


@dataclass(frozen=True)
class Sweep:
    """All tests of one command.

    Args:
        name: Folder below results/.
        points: Points, at least one, in the order of the command.
    """

    name: str
    points: list[SweepPoint]


@dataclass(frozen=True)
class _Axis:
    """An option that is swept.

    Args:
        name: Short name, for tables.
        key: Place in the option file, as `--force_yml` writes it.
        values: Values, at least one.
    """

    name: str
    key: str
    values: list[Any]

    def settings(self) -> Iterator[tuple[str, Any, str]]:
        """Name, value and override for each value."""
        for value in self.values:
            yield self.name, value, f"{self.key}={json.dumps(value)}"


def prepare_sweep(arguments: Namespace) -> Sweep:
    """Complete and check the options of all tests before the first begins.

    Args:
        arguments: Result of `parse_arguments`.

    Raises:
        OptionError: Options are wrong, or name files or devices that are not there.
        CheckpointError: Weights cannot be used.
        HostError: BasicSR cannot be used.
    """
    merged = merge_file(arguments.opt, "test")
    axes = _read_axes(arguments, merged)
    common = [*arguments.force_yml, *_read_flags(arguments, merged)]
    known: dict[str, WeightsFile] = {}
    points = []
    for chosen in itertools.product(*(axis.settings() for axis in axes)):
        overrides = [*common, *(override for *_, override in chosen)]
        setting = {name: value for name, value, _ in chosen}
        points.append(_prepare_point(arguments, setting, overrides, known))
    _check_folders(points)
    name = points[0].run.name
    if len(points) > 1:
        # a list inside a text becomes 15-25-50
        together = [f"{axis.key}={json.dumps(axis.values)}" for axis in axes]
        options = resolve(arguments.opt, [*arguments.force_yml, *together], "test").options
        name = replace(points[0].run, options=options).name
    return Sweep(name, points)


def _check_folders(points: Sequence[SweepPoint]) -> None:
    """Images of each setting go to a folder of its own."""
    labels: dict[str, str] = {}
    for point in points:
        other = labels.setdefault(folded(point.folder), point.label)
        if other != point.label:
            text = f"results of {other} and of {point.label} would share the folder {point.folder}"
            raise OptionError(Problem("--sweep", (), text))


def _prepare_point(
    arguments: Namespace,
    setting: dict[str, Any],
    overrides: list[str],
    known: dict[str, WeightsFile],
) -> SweepPoint:
    resolved = complete_options(arguments.opt, overrides, is_train=False)
    check_devices(resolved)
    missing = leave_out_missing(resolved) if arguments.skip_missing else {}
    _check_files(resolved)
    check_network(resolved)
    check_evaluation(resolved)
    check_set_names(resolved)
    file = (resolved.options.get("path") or {}).get("pretrain_network_g")
    if file and file not in known:
        known[file] = read_weights_file(file, resolved.options["network_g"])
    weights = known[file] if file else None
    return SweepPoint(setting, to_run(resolved, arguments), weights, missing)


def _check_files(resolved: Resolved) -> None:
    """`check_files`, with a word about the flag that leaves missing sets out."""
    try:
        check_files(resolved)
    except OptionError as error:
        absent = {p.key[1] for p in error.problems if p.key[:1] == ("datasets",)}
        if not absent or absent == set(resolved.options["datasets"]):
            raise
        text = "--skip_missing tests the other data sets, and names these in the report"
        raise OptionError([*error.problems, Problem("", (), text)]) from error


def _read_flags(arguments: Namespace, merged: Merged) -> Iterator[str]:
    """Overrides for which test.py has flags."""
    if arguments.weights is not None:
        file = str(find_weights(arguments.weights))
        if merged.options.get("model_type") == _OURS:
            network = foreign_network(file, merged.options.get("network_g"))
            if network is not None:
                yield f"network_g={json.dumps(network)}"
        if merged.fragments:
            file = _PLACEHOLDER.sub(r"${\1}", file)
        yield f"path:pretrain_network_g={json.dumps(file)}"
        chosen = any(entry.startswith("path:param_key_g=") for entry in arguments.force_yml)
        if merged.options.get("model_type") == _OURS and not chosen:
            # models of BasicSR know no such choice
            yield "path:param_key_g=auto"
    if arguments.ensemble:
        yield "val:ensemble=true"
    if arguments.tile is not None:
        yield f"val:tile={arguments.tile}"


def _read_axes(arguments: Namespace, merged: Merged) -> list[_Axis]:
    entries = [("--sweep", entry) for entry in arguments.sweep]
    if arguments.k is not None:
        entries.append(("--k", f"val:k={arguments.k}"))
    axes = [_read_axis(flag, entry, merged) for flag, entry in entries]
    names = [axis.name for axis in axes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(Problem("--sweep", (), f"{', '.join(twice)} is given more than once"))
    return axes


def _read_axis(flag: str, entry: str, merged: Merged) -> _Axis:
    key, sign, text = entry.partition("=")
    given = text if flag == "--k" else entry
    if not sign or not key.strip() or not text.strip():
        wanted = "numbers such as 64,128" if flag == "--k" else "name=value,value"
        raise OptionError(Problem(flag, (), f"expected {wanted}, received {given!r}"))
    try:
        values = parse_value(f"[{text}]")
    except ValueError as error:
        raise OptionError(Problem(flag, (), f"received {given!r}: {error}")) from error
    if not isinstance(values, list) or any(value in values[:i] for i, value in enumerate(values)):
        raise OptionError(Problem(flag, (), f"received {given!r}; a value is given twice"))
    key = key.strip()
    variables = merged.options.get("vars")
    if ":" not in key and isinstance(variables, dict) and key in variables:
        key = f"vars:{key}"
    elif ":" not in key and key not in {*merged.options, *ROOT, *TEST_ROOT}:
        names = list(variables) if isinstance(variables, dict) else []
        place = shown(merged.path)
        text = f"{key!r} is not in vars of {place}"
        has = f"; it has {', '.join(names)}" if names else ", which has no vars"
        advice = "an option is named with the keys above it, as in datasets:val:sigma=15,25"
        near = f" ({hint(key, names)})" if names else ""
        raise OptionError(Problem(flag, (), f"{text}{has}{near}; {advice}"))
    return _Axis(key.rpartition(":")[2], key, values)
