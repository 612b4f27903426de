"""Judge complete options before anything is built; all problems in one message.

What is allowed comes from a `Catalogue` (constructor signatures and declared options of the
registered classes) and, for what the host itself reads, from `basicsr_keys.py`. Of a plain BasicSR
file one thing is tolerated: keys that nothing reads, since such files are full of them. They are
problems in a block of one of this package's classes, in a section that a model class of this
package reads, or from the command line; all others are returned, to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from semanir_arch.utils.options import basicsr_keys as host
from semanir_arch.utils.options import own_keys
from semanir_arch.utils.options.option_types import Option
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, add, hint
from semanir_arch.utils.options.relations import Report, find_contradictions
from semanir_arch.utils.options.resolution import Resolved
from semanir_arch.utils.values import describe, show

Section = Mapping[str, Option]

_PHASES = ("train", "val", "test")

_SECTIONS = ("path", "logger", "train", "val")
"""Sections that a model class reads."""


@dataclass(frozen=True)
class Catalogue:
    """Names that option files may use.

    Each mapping goes from a `type` to its options; None stands for a class that declares nothing,
    so that nothing can be refused.

    Args:
        networks: Declarations of `network_g` and `network_d`.
        datasets: Blocks of `datasets`.
        models: `model_type`; options as `key`, `section.key` or `section.block.key`, for example
            `val.k`.
        losses: Declarations of `train.pixel_opt`, `train.perceptual_opt`, `train.gan_opt` and the
            blocks of `train.losses`.
        metrics: Blocks of `val.metrics`.
        optimizers: Declarations of `train.optim_g` and `train.optim_d`.
        schedules: Declarations of `train.scheduler`, in addition to those of BasicSR.
        ours: Names that belong to this package.
        swallowing: Names of networks and metrics that take any keyword, and ignore it.
        input_channels: Function from a data set's complete options to the channels of its inputs.
        pixel_ratios: Function from a data set's complete options and `scale` to the target pixels
            per input pixel.
        steps: Function from the same to the number that a side of a training patch must be a
            multiple of.
    """

    networks: Mapping[str, Section | None]
    datasets: Mapping[str, Section | None]
    models: Mapping[str, Section | None]
    losses: Mapping[str, Section | None]
    metrics: Mapping[str, Section | None]
    optimizers: Mapping[str, Section | None]
    schedules: Mapping[str, Section | None] = field(default_factory=dict)
    ours: frozenset[str] = field(default_factory=frozenset)
    swallowing: frozenset[str] = field(default_factory=frozenset)
    input_channels: Mapping[str, Callable[[Mapping[str, Any]], int]] = field(default_factory=dict)
    pixel_ratios: Mapping[str, Callable[[Mapping[str, Any]], int]] = field(default_factory=dict)
    steps: Mapping[str, Callable[[Mapping[str, Any]], int]] = field(default_factory=dict)


def validate(resolved: Resolved, catalogue: Catalogue, is_train: bool) -> list[Problem]:
    """Check every key and value.

    Args:
        resolved: Complete options.
        catalogue: Catalogue of what is allowed.
        is_train: Whether they will be used for training or for a test.

    Returns:
        Harmless faults of a plain BasicSR file, such as keys that nobody reads.

    Raises:
        OptionError: Anything is wrong; lists everything that is.
    """
    checker = _Checker(resolved, catalogue, is_train)
    checker.check()
    if checker.problems:
        raise OptionError(checker.problems)
    return checker.tolerated


class _Checker:
    """Walks through the sections of an option file and collects problems."""

    def __init__(self, resolved: Resolved, catalogue: Catalogue, is_train: bool) -> None:
        self.problems: list[Problem] = []
        self.tolerated: list[Problem] = []
        self._resolved = resolved
        self._options = resolved.options
        self._catalogue = catalogue
        self._is_train = is_train
        model = self._options.get("model_type")
        declared = catalogue.models.get(model) if isinstance(model, str) else None
        self._model_options = declared or {}
        # The sections of a foreign model class may hold anything.
        self._open_sections = declared is None and model != "SRModel"
        self._is_our_model = isinstance(model, str) and model in catalogue.ours

    def check(self) -> None:
        self._root()
        for network in ("network_g", "network_d"):
            self._typed_block((network,), self._catalogue.networks)
        for name in self._blocks(("datasets",)):
            self._dataset(name)
        self._section("path", host.PATH)
        self._section(
            "val", host.VAL if self._is_train else _without_requirement(host.VAL, "val_freq")
        )
        for name in self._blocks(("val", "metrics")):
            self._typed_block(("val", "metrics", name), self._catalogue.metrics, host.METRIC)
        if self._is_train:
            self._training()
        wrong = {problem.key for problem in self.problems}
        find_contradictions(self._options, self._catalogue, self._is_train, self._relation(wrong))

    def _training(self) -> None:
        self._section("logger", {**host.LOGGER, **own_keys.LOGGER})
        self._section("train", host.TRAIN)
        self._typed_block(("train", "optim_g"), self._catalogue.optimizers)
        if self._find(("train", "optim_d")) is not None:
            self._typed_block(("train", "optim_d"), self._catalogue.optimizers)
        schedules = {**self._catalogue.schedules, **host.SCHEDULERS}
        self._typed_block(("train", "scheduler"), schedules)
        for name in ("pixel_opt", "perceptual_opt", "gan_opt"):
            self._loss(("train", name))
        for name in self._blocks(("train", "losses")):
            self._loss(("train", "losses", name))

    def _loss(self, key: KeyPath) -> None:
        # a leaf turns a fragment's loss off by null
        if self._find(key) is not None:
            self._typed_block(key, self._catalogue.losses)

    def _relation(self, wrong: set[KeyPath]) -> Report:
        """Report a contradiction, unless one of its values is wrong by itself."""

        def report(key: KeyPath, text: str) -> None:
            if key not in wrong:
                self._report(key, text)

        return report

    def _root(self) -> None:
        required = {
            **host.ROOT,
            **own_keys.ROOT,
            **(host.TRAIN_ROOT if self._is_train else host.TEST_ROOT),
            **(declared := self._declared_by_model("")),
        }
        model = self._options.get("model_type")
        others = [key for key in self._options if key.startswith("network_")]
        tolerated = [*host.TRAIN_ROOT, *others]
        self._block((), self._options, required, extra=tolerated, open_ended=self._open_sections)
        for key in others:
            if key != "network_g" and key not in declared and not self._open_sections:
                self._report((key,), f"{model} has no such network; it trains network_g alone")
        if isinstance(model, str) and model not in self._catalogue.models:
            text = f"received {show(model)}; {hint(model, self._catalogue.models)}"
            self._report(("model_type",), text)

    def _dataset(self, name: str) -> None:
        key = ("datasets", name)
        phase = name.split("_", maxsplit=1)[0]
        allowed = _PHASES[:2] if self._is_train else _PHASES[1:]
        if phase not in allowed:
            run = "training" if self._is_train else "test"
            self._report(
                key,
                f"a {run} reads datasets called {' or '.join(allowed)} (and {allowed[-1]}_2, ...)",
            )
        training = {**host.TRAIN_DATASET, **own_keys.TRAIN_DATASET}
        common = {**host.DATASET, **(training if phase == "train" else {})}
        # BasicSR adds the scale itself; loader settings of training are harmless elsewhere.
        self._typed_block(
            key,
            self._catalogue.datasets,
            common,
            extra=["scale", "phase", *training],
            training=phase == "train",
        )

    def _section(self, name: str, section: Section) -> None:
        """A section of fixed keys, to which the model class may add its own, also as blocks."""
        values = self._options.get(name)
        if not isinstance(values, dict):
            return
        own = self._declared_by_model(f"{name}.")
        self._block((name,), values, {**section, **own}, open_ended=self._open_sections)
        for key in own:
            inner, block = self._declared_by_model(f"{name}.{key}."), values.get(key)
            if inner and isinstance(block, dict):
                self._block((name, key), block, inner, ours=True)

    def _declared_by_model(self, prefix: str) -> dict[str, Option]:
        """Options of the model class directly below a dotted prefix."""
        return {
            key[len(prefix) :]: option
            for key, option in self._model_options.items()
            if key.startswith(prefix) and "." not in key[len(prefix) :]
        }

    def _typed_block(
        self,
        key: KeyPath,
        kinds: Mapping[str, Section | None],
        common: Section | None = None,
        extra: list[str] | None = None,
        training: bool = True,
    ) -> None:
        """A block whose `type` decides which other keys it may have."""
        block = self._find(key)
        if not isinstance(block, dict):
            if len(key) > 1:
                text = f"received {show(block)}; expected a block with type and arguments"
                self._report(key, text)
            return
        kind = block.get("type")
        name = kind if isinstance(kind, str) else ""
        if name and name not in kinds:
            self._report((*key, "type"), f"received {show(kind)}; {hint(name, kinds)}")
            return
        declared = kinds.get(name)
        # every key of a block of keyword arguments is read, or an error in BasicSR too
        keywords = key[0] != "datasets" and name not in self._catalogue.swallowing
        self._block(
            key,
            block,
            {**host.TYPE, **(common or {}), **(declared or {})},
            extra=extra or [],
            open_ended=declared is None,
            ours=keywords or name in self._catalogue.ours,
            training=training,
        )

    def _block(
        self,
        key: KeyPath,
        values: Mapping[str, Any],
        section: Section,
        extra: list[str] | None = None,
        open_ended: bool = False,
        ours: bool = False,
        training: bool = True,
    ) -> None:
        """Missing keys, unknown keys, wrong types, values outside range or choices."""
        for name, option in section.items():
            needed = option.required and (training or not option.training_only)
            if needed and name not in values:
                self._report((*key, name), f"missing; {option.help or describe(option.type)}")
        allowed = [*section, *(extra or [])]
        for name, value in values.items():
            if name in section:
                self._value((*key, name), value, section[name], training)
            elif open_ended or name in allowed:
                continue
            else:
                place = (*key, name)
                text = f"unknown key; {hint(name, allowed)}"
                if not ours and self._tolerates(place):
                    self.tolerated.append(Problem(self._resolved.merged.origin(place), place, text))
                else:
                    self._report(place, text)

    def _value(self, key: KeyPath, value: Any, option: Option, training: bool) -> None:
        problem = option.fault(value, training=training)
        if problem is not None:
            help_text = f" ({option.help})" if option.help else ""
            self._report(key, f"received {show(value)}; {problem}{help_text}")

    def _blocks(self, key: KeyPath) -> list[str]:
        block = self._find(key)
        return [str(name) for name in block] if isinstance(block, dict) else []

    def _find(self, key: KeyPath) -> Any:
        block: Any = self._options
        for part in key:
            block = block.get(part) if isinstance(block, dict) else None
        return block

    def _tolerates(self, key: KeyPath) -> bool:
        """Whether nothing has to read a key: in a plain file, unless the command line sets it."""
        # A problem concerns an override when it lies on the way to the value that was set.
        overridden = any(other[: len(key)] == key for other in self._resolved.overridden)
        top = key[0]
        read = self._is_our_model and (top in _SECTIONS or top.startswith("network_"))
        return not (self._resolved.inherits or overridden or read)

    def _report(self, key: KeyPath, text: str) -> None:
        add(self.problems, Problem(self._resolved.merged.origin(key), key, text))


def _without_requirement(section: Section, name: str) -> dict[str, Option]:
    return {**section, name: replace(section[name], default=None)}
