"""Options that are right by themselves and contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from semanir_arch.utils.options.problems import KeyPath
from semanir_arch.utils.values import matches, show

if TYPE_CHECKING:
    from semanir_arch.utils.options.option_checks import Catalogue

__all__ = ["Report", "find_contradictions"]

Report = Callable[[KeyPath, str], None]
"""Function that is told the key of a value, and what is wrong with it."""

_OURS = "RestorationModel"
_BUILT_IN_LOSSES = {"l_pix": "pixel_opt", "l_percep": "perceptual_opt"}


def find_contradictions(
    options: Mapping[str, Any], catalogue: Catalogue, is_train: bool, report: Report
) -> None:
    """Compare schedule and length, patch and scale, channels, sizes, names, losses.

    Args:
        options: Complete options; any value may be of a wrong type, which is told elsewhere.
        catalogue: Catalogue of what is allowed.
        is_train: Whether they will be used for training or for a test.
        report: Function that is told every contradiction.
    """
    relations = _Relations(options, catalogue, report)
    relations.datasets(is_train)
    relations.channels()
    relations.enlargement()
    relations.windows(is_train)
    if is_train:
        relations.schedule()
        relations.losses()


class _Relations:
    """Pairs of options that must fit."""

    def __init__(self, options: Mapping[str, Any], catalogue: Catalogue, report: Report) -> None:
        self._options = options
        self._catalogue = catalogue
        self._report = report
        scale = options.get("scale", 1)
        self._scale: int = scale if matches(scale, int) and scale > 0 else 1

    def datasets(self, is_train: bool) -> None:
        """Check that a set to train with exists, names differ, and sizes and scale fit."""
        blocks = dict(self._blocks(("datasets",)))
        if "datasets" in self._options and isinstance(self._options["datasets"], dict):
            if is_train and "train" not in self._options["datasets"]:
                self._report(("datasets", "train"), "missing; a training needs one")
            if not is_train and not self._options["datasets"]:
                self._report(("datasets",), "there is no data set to test on")
        self._names(blocks)
        for name, block in blocks.items():
            self._ratio(name, block)
            if is_train and name.split("_")[0] == "train":
                self._patch_size(name, block)
            backend = block.get("io_backend")
            if isinstance(backend, dict) and backend.get("type") == "lmdb":
                self._lmdb(name, block)

    def _names(self, blocks: Mapping[str, dict[str, Any]]) -> None:
        """Results and scores are kept by the name of the data set."""
        taken: dict[str, str] = {}
        for key, block in blocks.items():
            name = block.get("name")
            if key.split("_")[0] == "train" or not isinstance(name, str):
                continue
            if taken.setdefault(name, key) != key:
                text = f"received {name!r}, which is the name of {taken[name]} as well"
                self._report(("datasets", key, "name"), text)

    def _ratio(self, name: str, block: dict[str, Any]) -> None:
        complete = {"scale": self._scale} | self._complete(block, self._catalogue.datasets)
        ratio = _call(self._catalogue.pixel_ratios.get(_kind(block)), complete)
        if ratio is None or ratio == self._scale or _kind(block) not in self._catalogue.ours:
            return
        size = "the size" if ratio == 1 else f"{ratio} times the size"
        text = f"but the targets of {_kind(block)} (datasets:{name}) have {size} of its inputs"
        self._report(("scale",), f"received {self._scale}, {text}")

    def _patch_size(self, name: str, block: dict[str, Any]) -> None:
        """A high-resolution patch must be made of whole low-resolution pixels."""
        complete = {"scale": self._scale} | self._complete(block, self._catalogue.datasets)
        step = _call(self._catalogue.steps.get(_kind(block)), complete) or self._scale
        sizes = [(key, complete.get(key)) for key in ("gt_size", "patch_size")]
        for key, value in [*sizes, *_stage_sizes(block)]:
            size = _whole(value)
            if size is None or size % step == 0:
                continue
            default = "" if key in block else ", the default"
            allowed = (
                f"multiples of scale, which is {step}"
                if step == self._scale
                else f"multiples of {step}"
            )
            self._report(("datasets", name, key), f"received {size}{default}; allowed: {allowed}")

    def _lmdb(self, name: str, block: dict[str, Any]) -> None:
        """BasicSR knows an LMDB by the suffix of its folder."""
        for key, value in block.items():
            foreign = isinstance(value, str) and not value.rstrip("/").endswith(".lmdb")
            if key.startswith("dataroot") and foreign:
                text = f"received {show(value)}, but io_backend:type is lmdb; allowed: *.lmdb"
                self._report(("datasets", name, key), text)

    def channels(self) -> None:
        """The images of this package's datasets must fit the network."""
        network = self._options.get("network_g")
        network = self._complete(network, self._catalogue.networks)
        # Restormer's option files say inp_channels.
        argument = "inp_channels" if "inp_channels" in network else "in_chans"
        expected = network.get(argument)
        for name, block in self._blocks(("datasets",)):
            complete = self._complete(block, self._catalogue.datasets)
            channels = _call(self._catalogue.input_channels.get(_kind(block)), complete)
            if expected is not None and channels is not None and channels != expected:
                wanted = f"network_g:{argument} is {expected}"
                text = f"its inputs have {channels} channels, but {wanted}"
                self._report(("datasets", name, "channels"), text)

    def enlargement(self) -> None:
        """The network enlarges as much as `scale` says, which the data sets are given."""
        complete = self._complete(self._options.get("network_g"), self._catalogue.networks)
        argument = next((name for name in ("upscale", "scale") if name in complete), None)
        if argument is None:
            return
        made = _whole(complete[argument])
        if made is not None and made != self._scale:
            text = f"received {self._scale}, but network_g:{argument} is {made}"
            self._report(("scale",), f"{text}; allowed: the same number")

    def windows(self, is_train: bool) -> None:
        """BasicSR's SwinIR takes only what its windows divide, and heads that divide its width."""
        network = self._options.get("network_g")
        if _kind(network) != "SwinIR":
            return
        complete = self._complete(network, self._catalogue.networks)
        self._heads(complete)
        window = _whole(complete.get("window_size"))
        if window is None or window < 1:
            return
        multiple = self._find(("val", "size_multiple"))
        padded = self._options.get("model_type") == _OURS and self._options.get("val") is not None
        if padded and (_whole(multiple) is None or multiple % window):
            text = f"received {show(multiple)}; allowed: multiples of network_g:window_size"
            self._report(("val", "size_multiple"), f"{text}, which is {window}")
        block = self._find(("datasets", "train"))
        if is_train and isinstance(block, dict):
            self._window_patches(block, window)

    def _heads(self, network: Mapping[str, Any]) -> None:
        key, width = ("network_g", "num_heads"), _whole(network.get("embed_dim"))
        heads, depths = (network.get(name) for name in ("num_heads", "depths"))
        if not (matches(heads, Sequence[int]) and matches(depths, Sequence[int])):
            return
        if len(heads) != len(depths):  # type: ignore[arg-type]
            count = len(depths)  # type: ignore[arg-type]
            self._report(key, f"received {show(heads)}; allowed: as many as depths: {count}")
        elif width is not None and any(head < 1 or width % head for head in heads or ()):
            text = f"received {show(heads)}; allowed: divisors of embed_dim, which is {width}"
            self._report(key, text)

    def _window_patches(self, block: dict[str, Any], window: int) -> None:
        complete = self._complete(block, self._catalogue.datasets)
        sides = [(key, complete.get(key)) for key in ("gt_size", "patch_size")]
        for key, side in _stage_sizes(block) or sides:
            whole = _whole(side)
            if whole is not None and whole % (self._scale * window):
                text = f"received {side}; allowed: multiples of {self._scale * window}"
                why = "network_g:window_size" + (" times scale" if self._scale > 1 else "")
                self._report(("datasets", "train", key), f"{text}, {why}")

    def schedule(self) -> None:
        """A cosine schedule is as long as the training: longer ones never reach their low rates.

        BasicSR's fails in the middle of a run that is longer than its cycles.
        """
        periods = self._find(("train", "scheduler", "periods"))
        total, freeze = self._find(("train", "total_iter")), self._find(("train", "freeze"))
        if not (matches(periods, list[float]) and matches(total, float)):
            return
        later = isinstance(freeze, dict) and freeze.get("restart_schedule") is True
        frozen = freeze.get("iters") if isinstance(freeze, dict) and later else 0
        if not matches(frozen, float) or sum(periods) == total - frozen:
            return
        after = f", of which {frozen} come before the schedule" if frozen else ""
        text = (
            f"received {show(periods)}, {sum(periods)} iterations in all; "
            f"total_iter is {total}{after}; allowed: the same number"
        )
        self._report(("train", "scheduler", "periods"), text)

    def losses(self) -> None:
        """Something is minimized, and the log can hold its name."""
        train = self._options.get("train")
        if not isinstance(train, dict) or self._options.get("model_type") != _OURS:
            return
        further = train.get("losses")
        further = further if isinstance(further, dict) else {}
        for name in further:
            if not str(name).startswith("l_") or name in _BUILT_IN_LOSSES:
                text = "a name that begins with l_ is needed"
                if name in _BUILT_IN_LOSSES:
                    text = f"this name belongs to train:{_BUILT_IN_LOSSES[name]}"
                self._report(("train", "losses", str(name)), text)
        wanted = [train.get(name) for name in _BUILT_IN_LOSSES.values()] + list(further.values())
        if not any(wanted):
            text = "missing; a training needs a loss: pixel_opt, perceptual_opt or one in losses"
            self._report(("train", "pixel_opt"), text)

    def _blocks(self, key: KeyPath) -> Iterator[tuple[str, dict[str, Any]]]:
        section = self._find(key)
        for name, block in section.items() if isinstance(section, dict) else ():
            if isinstance(block, dict):
                yield str(name), block

    def _complete(self, block: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
        """Block of a declared class with its defaults; empty where nothing is declared."""
        section = kinds.get(_kind(block)) if isinstance(block, dict) else None
        if not section:
            return {}
        defaults = {name: o.default for name, o in section.items() if not o.required}
        return defaults | block

    def _find(self, key: KeyPath) -> Any:
        block: Any = self._options
        for part in key:
            block = block.get(part) if isinstance(block, dict) else None
        return block


def _kind(block: Any) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) else ""


def _stage_sizes(block: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Key and value of the patch sizes of progressive stages."""
    stages = block.get("progressive")
    return [
        ("progressive", stage["patch_size"])
        for stage in (stages if isinstance(stages, list) else ())
        if isinstance(stage, dict) and "patch_size" in stage
    ]


def _whole(value: Any) -> int | None:
    """A value if it is a whole number."""
    return value if matches(value, int) else None


def _call(
    function: Callable[[Mapping[str, Any]], int] | None, options: Mapping[str, Any]
) -> int | None:
    """A number from complete options; None where an option is wrong, which is told elsewhere."""
    if function is None or not options:
        return None
    try:
        return function(options)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
