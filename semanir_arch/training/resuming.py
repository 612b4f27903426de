"""Which state a training continues from, and what in the options follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semanir_arch.training.states import Manifest, find_newest, verify
from semanir_arch.utils.errors import CheckpointError, MissingFileError

__all__ = ["StateChoice", "choose_state", "point_to_state"]


@dataclass(frozen=True)
class StateChoice:
    """State to continue from.

    Args:
        experiment: Folder that holds the state.
        manifest: Manifest of the state; None if no state can be used.
        problems: Faults of newer states.
    """

    experiment: Path
    manifest: Manifest | None = None
    problems: Sequence[Exception] = ()


def choose_state(options: dict[str, Any]) -> StateChoice:
    """The state to continue from, if one is asked for.

    `--auto_resume` takes the newest that can be used. A file that `path:resume_state` names must be
    usable.

    Args:
        options: Complete options.

    Raises:
        CheckpointError: The named state cannot be used.
        FileNotFoundError: The named state, or a network that belongs to it, does not exist.
    """
    path, networks = options["path"], _networks(options)
    experiment = Path(path["experiments_root"])
    if options["auto_resume"]:
        return StateChoice(experiment, *find_newest(experiment, networks))
    if not path.get("resume_state"):
        return StateChoice(experiment)
    file = Path(path["resume_state"])
    if not file.is_file():
        raise MissingFileError(f"path:resume_state: no such file: '{file}'")
    if not file.stem.isdigit() or file.parent.name != "training_states":
        raise CheckpointError(
            f"path:resume_state: received '{file}'; expected training_states/ITERATION.state, with "
            "the networks in models/ beside that folder"
        )
    experiment = file.parent.parent
    return StateChoice(experiment, verify(experiment, int(file.stem), networks))


def point_to_state(options: dict[str, Any], experiment: Path, iteration: int) -> None:
    """Let the model load the networks of a state when it is built.

    What continues is the trained network, never its average, and all of it.

    Args:
        options: Complete options, changed in place.
        experiment: Folder that holds the state.
        iteration: Iteration of the state.
    """
    path = options["path"]
    path["resume_state"] = str(experiment / "training_states" / f"{iteration}.state")
    for network in _networks(options):
        label = network.removeprefix("net_")
        path[f"pretrain_network_{label}"] = str(
            experiment / "models" / f"{network}_{iteration}.pth"
        )
        path[f"param_key_{label}"] = "params"
        path[f"strict_load_{label}"] = True
        path[f"fresh_{label}"] = None


def _networks(options: dict[str, Any]) -> list[str]:
    """Networks that a state holds, such as `net_g`."""
    ignored = options["path"].get("ignore_resume_networks") or []
    return [
        key.replace("network_", "net_", 1)
        for key in options
        if key.startswith("network_") and key not in ignored
    ]
