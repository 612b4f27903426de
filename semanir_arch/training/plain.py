"""This package under BasicSR's own `train_pipeline` and `test_pipeline`.

There this package's loop, data stream and checks are missing. What a script of BasicSR's needs to
keep a training of `RestorationModel`, and to notice what it would ignore, is installed by
`semanir_arch.plugin`.
"""

from __future__ import annotations

import functools
import itertools
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from semanir_arch import host
from semanir_arch.training.resuming import choose_state, point_to_state
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.options import OptionError, Resolved, own_keys, resolve, validate
from semanir_arch.utils.options.inheritance import Merged

__all__ = ["check", "install", "load_resume_state"]

_LOGGER = logging.getLogger("basicsr")

# What BasicSR's parser adds.
_ADDED = ("dist", "rank", "world_size", "auto_resume", "is_train", "root_path")
_ADDED_PATHS = (
    *("experiments_root", "models", "training_states", "results_root", "log", "visualization"),
)


def install() -> None:
    """Prepare BasicSR's pipelines; may be called any number of times."""
    pipeline: Any = host.load("basicsr.train")
    if not hasattr(pipeline.load_resume_state, "__wrapped__"):
        pipeline.load_resume_state = _in_place_of(pipeline.load_resume_state)
    host.judge_foreign(check)


def _in_place_of(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def load(opt: dict[str, Any]) -> dict[str, Any] | None:
        return load_resume_state(opt)

    return load


def load_resume_state(opt: dict[str, Any]) -> dict[str, Any] | None:
    """BasicSR's function of this name, which needs a GPU and dies of a state that was cut short.

    It looks below the experiment's folder, not below the working folder, passes over states that
    cannot be used and says why, and reads without running code.
    https://github.com/XPixelGroup/BasicSR/issues/679

    Args:
        opt: Options as BasicSR parsed them; the networks to load are entered.

    Returns:
        The state, on the CPU; None where there is none to continue from.

    Raises:
        CheckpointError: The named state cannot be used.
        FileNotFoundError: The named state, or a network that belongs to it, does not exist.
    """
    choice = choose_state(opt)
    # BasicSR's log is not open yet
    for problem in choice.problems:
        sys.stderr.write(f"{problem}. Trying an earlier state.\n")
    if choice.manifest is None:
        return None
    point_to_state(opt, choice.experiment, choice.manifest.iteration)
    state: dict[str, Any] = load_state(opt["path"]["resume_state"])
    return state


def check(opt: dict[str, Any]) -> None:
    """Judge options that a script of BasicSR's hands to a model of this package.

    What only this package reads is named in the log, because the script does without it.

    Args:
        opt: Options as BasicSR parsed them.

    Raises:
        OptionError: An option is unknown, missing, or has a value that is not allowed.
    """
    # Imported here: it needs the registered classes, and this module is imported with them.
    from semanir_arch.runs.class_schemas import build_catalogue

    given = _without_additions(opt)
    file = _option_file()
    merged = Merged(file, given, _find_origins(file), [])
    resolved = Resolved(file, given, merged, inherits=False, overridden=[])
    for problem in validate(resolved, build_catalogue(), bool(opt["is_train"])):
        _LOGGER.warning("%s", problem)
    unread = list(_find_unread(given))
    if unread:
        _LOGGER.warning(
            "BasicSR's own pipeline ignores %s. `python train.py -opt %s` of semanir_arch "
            "reads them.",
            *(", ".join(unread), file),
        )


def _without_additions(opt: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they were written."""
    given = {key: value for key, value in opt.items() if key not in _ADDED}
    path = given.get("path") or {}
    given["path"] = {key: value for key, value in path.items() if key not in _ADDED_PATHS}
    return _plain(given)


def _plain(value: Any) -> Any:
    """Ordered dictionaries as dictionaries."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return value


def _option_file() -> Path:
    """The file that the command line names, as BasicSR's parser found it."""
    command = sys.argv[1:]
    for flag, value in itertools.pairwise(command):
        if flag in ("-opt", "--opt"):
            return Path(value)
    return Path("options")


def _find_origins(file: Path) -> dict[tuple[str, ...], str]:
    """Lines of the keys, where the file can be read."""
    if not file.is_file():
        return {}
    try:
        return resolve(file).merged.origins
    except OptionError:
        return {}


def _find_unread(given: Mapping[str, Any]) -> Iterator[str]:
    """Options in use that only this package reads."""
    sections = {
        (): own_keys.ROOT,
        ("logger",): own_keys.LOGGER,
        ("datasets", "train"): own_keys.TRAIN_DATASET,
    }
    for section, declared in sections.items():
        block: Any = given
        for key in section:
            block = block.get(key) or {}
        for name, option in declared.items():
            if name in block and block[name] != option.default:
                yield ":".join([*section, name])
