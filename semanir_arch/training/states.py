"""Saved states: what a training continues from, and whether it can be trusted.

A state of iteration N is `models/net_*_N.pth`, `training_states/N.state` and the manifest
`training_states/N.json`, which announces the state first and, written again as the last of all,
holds size and SHA-256 of these files and of itself. All are written beside their place, flushed to
the disk and renamed, so that a kill at any moment leaves the former state.
Random states and the place in the data need not be saved; see `randomness` and `sampling`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any

from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.errors import CheckpointError, InputTypeError, MissingFileError
from semanir_arch.utils.protected_json import DamagedError, protect, read_protected

__all__ = [
    "Manifest",
    "describe_files",
    "find_newest",
    "is_complete",
    "is_ours",
    "list_states",
    "manifest_path",
    "parse_manifest",
    "read_manifest",
    "remove_state",
    "verify",
]

_BLOCK = 2**20

_TYPES: dict[str, type | tuple[type, ...]] = {
    "iteration": int,
    "samples": (int, NoneType),
    "seed": (int, NoneType),
    "batch": (int, NoneType),
    "is_settled": bool,
    "best": dict,
    "arithmetic": dict,
    "files": dict,
}


@dataclass(frozen=True)
class Manifest:
    """The record that makes a state complete.

    Args:
        iteration: Iterations that have been run.
        samples: Samples that they took, which is the position of the next one. This and the next
            two are None for a state of plain BasicSR.
        seed: The run's `manual_seed`.
        batch: Samples of the last step, over all processes.
        is_settled: Whether all that follows the step has happened, such as its validation.
        best: Best metrics so far, in the form of BasicSR's `best_metric_results`.
        arithmetic: Arithmetic of the computer, as `arithmetic.Arithmetic.to_plain` tells it; empty
            in states of earlier versions.
        files: Name relative to the experiment's folder, and (bytes, SHA-256) of every file; empty
            until all are written.
        note: Remark for the user about the manifest itself; not written.
    """

    iteration: int
    samples: int | None = None
    seed: int | None = None
    batch: int | None = None
    is_settled: bool = True
    best: dict[str, Any] = field(default_factory=dict)
    arithmetic: dict[str, Any] = field(default_factory=dict)
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    note: str = field(default="", compare=False)

    def write(self, experiment: Path) -> None:
        """Write it below an experiment's folder.

        Raises:
            OSError: The disk is full, or cannot be written to.
        """
        content = asdict(self)
        del content["note"]
        text = protect(json.dumps(content, indent=1))
        write_text(manifest_path(experiment, self.iteration), text)


def manifest_path(experiment: Path, iteration: int) -> Path:
    """Path of the manifest of an iteration."""
    return experiment / "training_states" / f"{iteration}.json"


def describe_files(experiment: Path, iteration: int) -> dict[str, tuple[int, str]]:
    """Bytes and SHA-256 of the files of an iteration."""
    paths = [*state_files(experiment, iteration)]
    return {str(path.relative_to(experiment).as_posix()): _digest(path) for path in paths}


def state_files(experiment: Path, iteration: int) -> Iterator[Path]:
    """Networks and training state of an iteration; the state comes last."""
    yield from sorted((experiment / "models").glob(f"net_*_{iteration}.pth"))
    state = experiment / "training_states" / f"{iteration}.state"
    if state.is_file():
        yield state


def list_states(experiment: Path) -> list[int]:
    """Iterations with a training state or a manifest, newest first; not all need be usable."""
    files = (experiment / "training_states").glob("*.*")
    numbers = {file.stem for file in files if file.suffix in (".state", ".json")}
    return sorted((int(number) for number in numbers if number.isdigit()), reverse=True)


def is_complete(experiment: Path, iteration: int) -> bool:
    """Whether a manifest says that a state was saved completely; its files are not looked at."""
    try:
        manifest = read_manifest(experiment, iteration)
    except CheckpointError:
        return False
    return manifest is not None and bool(manifest.files)


def is_ours(experiment: Path, iteration: int) -> bool:
    """Whether a state has a manifest that can be read, complete or not."""
    try:
        return read_manifest(experiment, iteration) is not None
    except CheckpointError:
        return False


def find_newest(
    experiment: Path, networks: Sequence[str]
) -> tuple[Manifest | None, list[CheckpointError | FileNotFoundError]]:
    """The newest state that is complete and unharmed.

    States that cannot be used stay where they are. BasicSR takes the newest file below the working
    folder, and dies if it is cut short: https://github.com/XPixelGroup/BasicSR/issues/679

    Args:
        experiment: Folder of the experiment.
        networks: Labels of the networks; see `verify`.

    Returns:
        Manifest of the newest usable state, if any, and faults of newer ones.
    """
    problems: list[CheckpointError | FileNotFoundError] = []
    for iteration in list_states(experiment):
        try:
            return verify(experiment, iteration, networks), problems
        except (CheckpointError, FileNotFoundError) as error:
            problems.append(error)
    return None, problems


def verify(experiment: Path, iteration: int, networks: Sequence[str]) -> Manifest:
    """Compare a state with its manifest.

    Args:
        experiment: Folder of the experiment.
        iteration: Iteration of the state.
        networks: Networks that must be part of it, such as `net_g`.

    Returns:
        The manifest; for a state of plain BasicSR, which has none but can be read, a new one.

    Raises:
        FileNotFoundError: A file is missing.
        CheckpointError: A file was cut short, changed or never completed.
    """
    path = experiment / "training_states" / f"{iteration}.state"
    needed = [experiment / "models" / f"{network}_{iteration}.pth" for network in networks]
    manifest = read_manifest(experiment, iteration)
    if manifest is not None and not manifest.files:
        raise CheckpointError(f"{path}: saving was not completed")
    for file in [path, *needed]:
        if not file.is_file():
            raise MissingFileError(f"{file}: missing; the state of iteration {iteration} needs it")
    if manifest is None:
        for file in [path, *needed]:
            load_state(file)
        return Manifest(iteration)
    for file in [path, *needed]:
        if file.relative_to(experiment).as_posix() not in manifest.files:
            raise CheckpointError(f"{file}: its manifest does not list it")
    for name, (size, digest) in manifest.files.items():
        _compare(experiment / name, size, digest)
    return manifest


def _compare(file: Path, size: int, digest: str) -> None:
    if not file.is_file():
        raise MissingFileError(f"{file}: missing, although its manifest lists it")
    found, checksum = _digest(file)
    if found != size:
        raise CheckpointError(f"{file}: cut short: {found} bytes instead of {size}")
    if checksum != digest:
        raise CheckpointError(f"{file}: damaged: its checksum is not that of its manifest")


def read_manifest(experiment: Path, iteration: int) -> Manifest | None:
    """The manifest of a state, or None where there is none.

    Manifests of earlier versions have no checksum of themselves; they are read, with a note.

    Raises:
        CheckpointError: The file is no manifest, was changed, or belongs to another iteration.
    """
    path = manifest_path(experiment, iteration)
    return parse_manifest(path.read_bytes(), path) if path.is_file() else None


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """Read the content of a manifest.

    Args:
        data: The content.
        path: Path of the file, whose name says which iteration it should describe.

    Raises:
        CheckpointError: See `read_manifest`.
    """
    try:
        content, is_protected = read_protected(data)
        for name, value in content.items():
            if not isinstance(value, _TYPES[name]):
                raise InputTypeError(name)
        files = {name: (int(size), str(sha)) for name, (size, sha) in content["files"].items()}
        manifest = Manifest(**{**content, "files": files})
    except DamagedError as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: cut short or not a manifest") from error
    if str(manifest.iteration) != path.stem:
        raise CheckpointError(f"{path}: it describes iteration {manifest.iteration}")
    if is_protected:
        return manifest
    note = (
        f"{path}: written by an earlier version, without a checksum of its own; damage to it "
        "would not be noticed"
    )
    return replace(manifest, note=note)


def remove_state(experiment: Path, iteration: int) -> None:
    """Delete a state; the manifest last, so that an interrupted deletion can be finished."""
    for path in state_files(experiment, iteration):
        path.unlink()
    manifest_path(experiment, iteration).unlink()


def _digest(path: Path) -> tuple[int, str]:
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum.update(block)
    return path.stat().st_size, checksum.hexdigest()
