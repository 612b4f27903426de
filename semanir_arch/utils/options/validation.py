"""Judge complete options before anything is built; all problems in one message.

What is allowed comes from a `Catalogue` (constructor signatures and declared options of the
registered classes) and, for what the host itself reads, from `basicsr_keys.py`. A plain BasicSR
file keeps its freedom: only blocks of this package's classes and values set on the command line are
judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from semanir_arch.utils.options import basicsr_keys as host
from semanir_arch.utils.options import engine_keys as engine
from semanir_arch.utils.options.declaration import Option
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, hint
from semanir_arch.utils.options.resolution import Resolved
from semanir_arch.utils.options.typing_rules import describe, matches

Section = Mapping[str, Option]

_PHASES = ("train", "val", "test")


@dataclass(frozen=True)
class Catalogue:
    """What may be named in an option file.

    Each mapping goes from a `type` to its options; None stands for a class that declares nothing,
    so that nothing can be refused.

    Args:
        networks: `network_g` and `network_d`.
        datasets: Blocks of `datasets`.
        models: `model_type`; options as `key`, `section.key` or `section.block.key`, for example
            `val.k`.
        losses: `train.pixel_opt`, `train.perceptual_opt`, `train.gan_opt` and the blocks of
            `train.losses`.
        metrics: Blocks of `val.metrics`.
        optimizers: `train.optim_g` and `train.optim_d`.
        schedules: `train.scheduler`, beside those of BasicSR.
        ours: Names that belong to this package.
        input_channels: For a dataset, the channels of its inputs, from its complete options.
    """

    networks: Mapping[str, Section | None]
    datasets: Mapping[str, Section | None]
    models: Mapping[str, Section | None]
    losses: Mapping[str, Section | None]
    metrics: Mapping[str, Section | None]
    optimizers: Mapping[str, Section | None]
    schedules: Mapping[str, Section | None] = field(default_factory=dict)
    ours: frozenset[str] = field(default_factory=frozenset)
    input_channels: Mapping[str, Callable[[Mapping[str, Any]], int]] = field(default_factory=dict)


def validate(resolved: Resolved, catalogue: Catalogue, is_train: bool) -> None:
    """Check every key and value.

    Args:
        resolved: Complete options.
        catalogue: What is allowed.
        is_train: Whether they will be used for training or for a test.

    Raises:
        OptionError: Anything is wrong; lists everything that is.
    """
    checker = _Checker(resolved, catalogue, is_train)
    checker.check()
    if checker.problems:
        raise OptionError(checker.problems)


class _Checker:
    """Walks through the sections of an option file and collects problems."""

    def __init__(self, resolved: Resolved, catalogue: Catalogue, is_train: bool) -> None:
        self.problems: list[Problem] = []
        self._resolved = resolved
        self._options = resolved.options
        self._catalogue = catalogue
        self._is_train = is_train
        model = self._options.get("model_type")
        declared = catalogue.models.get(model) if isinstance(model, str) else None
        self._model_options = declared or {}
        # The sections of a foreign model class may hold anything.
        self._open_sections = declared is None and model != "SRModel"

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
            self._section("logger", {**host.LOGGER, **engine.LOGGER})
            self._section("train", host.TRAIN)
            for optimizer in ("optim_g", "optim_d"):
                self._typed_block(("train", optimizer), self._catalogue.optimizers)
            schedules = {**self._catalogue.schedules, **host.SCHEDULERS}
            self._typed_block(("train", "scheduler"), schedules)
            self._schedule_length()
            self._patch_size()
            for name in ("pixel_opt", "perceptual_opt", "gan_opt"):
                self._typed_block(("train", name), self._catalogue.losses)
            for name in self._blocks(("train", "losses")):
                self._typed_block(("train", "losses", name), self._catalogue.losses)
        self._channels()

    def _root(self) -> None:
        required = {
            **host.ROOT,
            **(host.TRAIN_ROOT if self._is_train else host.TEST_ROOT),
            **self._declared_by_model(""),
        }
        tolerated = [
            *host.TRAIN_ROOT,
            *(key for key in self._options if key.startswith("network_")),
        ]
        self._block((), self._options, required, extra=tolerated, open_ended=self._open_sections)
        model = self._options.get("model_type")
        if isinstance(model, str) and model not in self._catalogue.models:
            self._report(
                ("model_type",), f"received {model!r}; {hint(model, self._catalogue.models)}"
            )
        if isinstance(self._options.get("num_gpu"), str) and self._options["num_gpu"] != "auto":
            self._report(
                ("num_gpu",), f"received {self._options['num_gpu']!r}; allowed: a number or 'auto'"
            )

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
        training = {**host.TRAIN_DATASET, **engine.TRAIN_DATASET}
        common = {**host.DATASET, **(training if phase == "train" else {})}
        # BasicSR adds the scale itself; loader settings of training are harmless elsewhere.
        self._typed_block(
            key, self._catalogue.datasets, common, extra=["scale", "phase", *training]
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
                self._block((name, key), block, inner)

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
    ) -> None:
        """A block whose `type` decides which other keys it may have."""
        block = self._find(key)
        if block is None:
            return
        if not isinstance(block, dict):
            self._report(key, f"received {block!r}; expected a block with type and arguments")
            return
        kind = block.get("type")
        if isinstance(kind, str) and kind not in kinds:
            self._report((*key, "type"), f"received {kind!r}; {hint(kind, kinds)}")
            return
        declared = kinds.get(kind) if isinstance(kind, str) else None
        section = {**host.TYPE, **(common or {}), **(declared or {})}
        ours = kind in self._catalogue.ours
        self._block(key, block, section, extra=extra or [], open_ended=declared is None, ours=ours)

    def _block(
        self,
        key: KeyPath,
        values: Mapping[str, Any],
        section: Section,
        extra: list[str] | None = None,
        open_ended: bool = False,
        ours: bool = False,
    ) -> None:
        """Missing keys, unknown keys, wrong types, values outside the choices."""
        for name, option in section.items():
            if option.required and name not in values:
                self._report((*key, name), f"missing; {option.help or describe(option.type)}", ours)
        allowed = [*section, *(extra or [])]
        for name, value in values.items():
            if name in section:
                self._value((*key, name), value, section[name], ours)
            elif not open_ended and name not in allowed:
                self._report((*key, str(name)), f"unknown key; {hint(name, allowed)}", ours)

    def _value(self, key: KeyPath, value: Any, option: Option, ours: bool) -> None:
        if value is None and option.default is None:
            return
        help_text = f" ({option.help})" if option.help else ""
        if not matches(value, option.type):
            self._report(
                key, f"received {value!r}; expected {describe(option.type)}{help_text}", ours
            )
        elif option.choices is not None and value not in option.choices:
            choices = ", ".join(repr(choice) for choice in option.choices)
            self._report(key, f"received {value!r}; allowed: {choices}{help_text}", ours)

    def _blocks(self, key: KeyPath) -> list[str]:
        block = self._find(key)
        return [str(name) for name in block] if isinstance(block, dict) else []

    def _schedule_length(self) -> None:
        """BasicSR's cosine schedule fails in the middle of a run that is longer than its cycles."""
        train = self._options.get("train")
        scheduler = train.get("scheduler") if isinstance(train, dict) else None
        periods = scheduler.get("periods") if isinstance(scheduler, dict) else None
        if not (
            isinstance(train, dict) and isinstance(periods, list) and matches(periods, list[float])
        ):
            return
        total, freeze = train.get("total_iter"), train.get("freeze")
        later = isinstance(freeze, dict) and freeze.get("restart_schedule") is True
        frozen = freeze.get("iters") if isinstance(freeze, dict) and later else 0
        if not (isinstance(total, (int, float)) and isinstance(frozen, (int, float))):
            return
        if sum(periods) < total - frozen:
            text = f"received {periods}, {sum(periods)} iterations in all; total_iter is {total}"
            self._report(("train", "scheduler", "periods"), text)

    def _patch_size(self) -> None:
        """A high-resolution patch must be made of whole low-resolution pixels."""
        scale = self._find(("scale",))
        for name in self._blocks(("datasets",)):
            key = ("datasets", name, "gt_size")
            size = self._find(key)
            if isinstance(scale, int) and isinstance(size, int) and scale > 0 and size % scale:
                self._report(key, f"received {size}; allowed: multiples of scale, which is {scale}")

    def _channels(self) -> None:
        """The images of this package's datasets must fit the network."""
        network = self._complete(("network_g",), self._catalogue.networks)
        # Restormer's option files say inp_channels.
        argument = "inp_channels" if "inp_channels" in network else "in_chans"
        expected = network.get(argument)
        for name in self._blocks(("datasets",)):
            key = ("datasets", name)
            block = self._complete(key, self._catalogue.datasets)
            count = self._catalogue.input_channels.get(block.get("type", ""))
            if expected is None or count is None:
                continue
            try:
                channels = count(block)
            except (KeyError, TypeError):
                # an option of the wrong type or value, which is reported where it is declared
                continue
            if channels != expected:
                wanted = f"network_g:{argument} is {expected}"
                text = f"its inputs have {channels} channels, but {wanted}"
                self._report((*key, "channels"), text, ours=True)

    def _complete(self, key: KeyPath, kinds: Mapping[str, Section | None]) -> dict[str, Any]:
        """Block of one of this package's classes with all defaults; empty for other classes."""
        block = self._find(key)
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str) or kind not in self._catalogue.ours:
            return {}
        section = kinds.get(kind) or {}
        return {name: option.default for name, option in section.items()} | block

    def _find(self, key: KeyPath) -> Any:
        block: Any = self._options
        for part in key:
            block = block.get(part) if isinstance(block, dict) else None
        return block

    def _report(self, key: KeyPath, text: str, ours: bool = False) -> None:
        # A problem concerns an override when it lies on the way to the value that was set.
        overridden = any(other[: len(key)] == key for other in self._resolved.overridden)
        if self._resolved.inherits or ours or overridden:
            self.problems.append(Problem(self._resolved.merged.origin(key), key, text))


def _without_requirement(section: Section, name: str) -> dict[str, Option]:
    return {**section, name: Option(section[name].type, default=None, help=section[name].help)}
