"""Files with weights or a training state: written atomically, read without running code.

A network file is a dictionary as BasicSR writes it, plus what is needed to rebuild the network::

    {'params': state dict, 'params_ema': state dict (if averaged), 'network_g': option block,
    'metadata': {...}}
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.checkpoint_layout import check_file, describe_layout
from semanir_arch.utils.checkpoint_names import (
    first_components,
    fitted_names,
    without_wrappers,
)
from semanir_arch.utils.errors import CheckpointError
from semanir_arch.utils.stamp import take_stamp
from semanir_arch.utils.values import show

_RECORD = ("network_g", "metadata")

PARAM_KEYS = (
    *("params_ema", "params-ema", "params", "state_dict", "model_state_dict"),
    *("model", "net", "net_g", "network", "generator"),
)
"""Keys under which a file may keep its weights; `param_key='auto'` takes the first that holds
any."""

_SHOWN = 8

_MOST_STRUCTURE = 2**24
_MOST_VALUES = 10_000
_DEEPEST = 16
"""Limits of a network's record; those of this package have fewer than 100 values."""


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a network file.

    Args:
        params: State dict on the CPU, by names without what torch's wrappers put into them.
        network: Option block of the network (`{'type': ..., **arguments}`), or None where the file
            has none.
        metadata: Other recorded facts, for example iteration and versions.
        source: The file.
        layout: Kind of file that it was recognized as, in words.
    """

    params: dict[str, Tensor]
    network: dict[str, Any] | None
    metadata: dict[str, Any] = field(default_factory=dict)
    source: Path = Path()
    layout: str = "a state dict"


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a checkpoint: `path` holds the old file or the complete new one, never a part.

    Args:
        path: Destination; its folder must exist.
        state: Tensors and plain Python values only, so that it can be read back without running
            code.

    Raises:
        OSError: The file cannot be written, for example because the disk is full. `path` is
            untouched.
    """
    try:
        with replacing(Path(path)) as file:
            torch.save(dict(state), file)
    except RuntimeError as error:
        # torch's writer stumbles over the error that the system gave, and hides it.
        hidden = error.__context__
        if not isinstance(hidden, OSError):
            raise
        hidden.filename = hidden.filename or str(path)
        raise hidden from error


def load_state(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a dictionary written by `torch.save` onto the CPU.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: The file is cut short, is no checkpoint, is compressed (torch's never are),
            or holds Python objects instead of plain values.
    """
    path = Path(path)
    check_file(path)
    _check_packing(path)
    try:
        with warnings.catch_warnings():
            # that it is no checkpoint is told below, once
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_explain_refusal(str(error))}") from error
    except (RuntimeError, EOFError, LookupError, ValueError, TypeError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise CheckpointError(f"{path}: cut short or not a torch checkpoint") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a dictionary, found {type(state).__name__}")
    return state


def load_checkpoint(
    path: str | os.PathLike[str], param_key: str | Sequence[str] = "auto"
) -> Checkpoint:
    """Read a network file: BasicSR's layout, ours, a bare state dict, or safetensors.

    Args:
        path: The file; safetensors by its suffix.
        param_key: Key of the weights: a key of the file, several in order of preference, or `auto`
            for the averaged ones if there are any.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: Unreadable (see `load_state`), or without weights under `param_key`.
    """
    path = Path(path)
    if path.suffix.lower() == ".safetensors":
        return _load_safetensors(path)
    state = load_state(path)
    wanted = _wanted(state, param_key)
    filled = [key for key in wanted if isinstance(state.get(key), Mapping) and state[key]]
    if filled:
        params = state[filled[0]]
    elif _is_state_dict(state):
        params = state
    else:
        empty = [key for key in wanted if isinstance(state.get(key), Mapping)]
        keys = _names(map(str, state))
        why = f"; {' and '.join(empty)} is empty" if empty else ""
        raise CheckpointError(
            f"{path}: no weights under {' or '.join(wanted)}{why}; its keys: {keys}"
        )
    if not _is_state_dict(params):
        others = _names(
            str(name) for name, value in params.items() if not isinstance(value, Tensor)
        )
        raise CheckpointError(
            f"{path}: the weights are not a dictionary of tensors; not tensors: {others}"
        )
    _check_tensors(path, params)
    layout = describe_layout(params, filled[0] if filled else None, set(state))
    return _make_checkpoint(path, params, state, layout)


def _wanted(state: Mapping[str, Any], param_key: str | Sequence[str]) -> list[str]:
    """Keys under which the weights may be, in order of preference."""
    if param_key != "auto":
        return [param_key] if isinstance(param_key, str) else list(param_key)
    # a dictionary with one entry is a wrapper, whatever it is called
    return [*PARAM_KEYS, *(str(key) for key in state if len(state) == 1 and key not in PARAM_KEYS)]


def _load_safetensors(path: Path) -> Checkpoint:
    # imported where needed: most files are torch's
    from semanir_arch.utils.tensor_file import read_tensors

    params, record = read_tensors(path)
    return _make_checkpoint(path, params, record, "a safetensors file")


def _make_checkpoint(
    path: Path, params: Mapping[str, Tensor], record: Mapping[str, Any], layout: str
) -> Checkpoint:
    """Clean the names, and find out what the file says about its network.

    Raises:
        CheckpointError: The network's options are in a tensor that cannot be read.
    """
    named, wrappers = without_wrappers(params)
    said = dict(record)
    try:
        take_stamp(named, said)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    network, metadata = (checked_record(path, key, said.get(key)) for key in _RECORD)
    return Checkpoint(
        params=named,
        network=dict(network) if isinstance(network, Mapping) else None,
        metadata=dict(metadata) if isinstance(metadata, Mapping) else {},
        source=path,
        layout=", ".join([layout, *wrappers]),
    )


def align(network: nn.Module, checkpoint: Checkpoint) -> Checkpoint:
    """Free the names of a prefix that stands between all of them and the network's.

    Trainers such as Lightning put the attribute in front that held the network (`model.`).

    Args:
        network: Network, possibly on the meta device.
        checkpoint: Result of `load_checkpoint`.

    Returns:
        The same weights by other names, or by the same where they are the network's already.
    """
    return replace(checkpoint, params=fitted_names(checkpoint.params, network.state_dict()))


def checked_record(path: Path, key: str, value: Any) -> Any:
    """Read what a file says about its network, if its size is plausible.

    Args:
        path: The file, for the message.
        key: Name of the record.
        value: Value as it was read: plain values, lists and mappings.

    Raises:
        CheckpointError: It has too many values, lies too deep, or contains itself.
    """
    waiting, count = [(value, 0)], 0
    while waiting:
        item, depth = waiting.pop()
        count += 1
        if depth > _DEEPEST or count > _MOST_VALUES:
            raise CheckpointError(
                f"{path}: its {key} has more than {_MOST_VALUES:,d} values, or lies more than "
                f"{_DEEPEST} levels deep; no file of this package does"
            )
        inner = item.values() if isinstance(item, Mapping) else item
        if isinstance(item, (Mapping, list, tuple, set, frozenset)):
            waiting += [(other, depth + 1) for other in inner]
    return value


def load_into(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Copy all weights of a checkpoint into a network of the same layout.

    Args:
        network: Network, changed in place, only if everything fits.
        checkpoint: Result of `load_checkpoint`.

    Raises:
        CheckpointError: See `check_fit`.
    """
    check_fit(network, checkpoint)
    network.load_state_dict(align(network, checkpoint).params)


def check_fit(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Compare names and shapes of weights; the network may be on the meta device.

    A prefix that all names share is no difference; see `align`.

    Raises:
        CheckpointError: They differ; one message says where, and what the file was saved from.
    """
    own, given = network.state_dict(), align(network, checkpoint).params
    problems = {
        "missing in the file": [name for name in own if name not in given],
        "unknown to the network": [name for name in given if name not in own],
        "of another shape": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(own[name].shape)}"
            for name in own
            if name in given and own[name].shape != given[name].shape
        ],
    }
    if any(problems.values()):
        lines = [f"{checkpoint.source}: these weights do not fit {type(network).__name__}."]
        lines += [f"  {len(n)} {what}: {_names(n)}" for what, n in problems.items() if n]
        lines.append(f"  The file was recognized as {checkpoint.layout}.")
        lines.append(f"  It was saved from {describe_network(checkpoint.network)}.")
        lines += _prefix_hint(checkpoint, own)
        raise CheckpointError("\n".join(lines))


def _prefix_hint(checkpoint: Checkpoint, own: Mapping[str, Tensor]) -> list[str]:
    """Explain how to keep one of several networks in a file, if it may be the wanted one."""
    prefixes = first_components(checkpoint.params)
    for prefix in prefixes if len(prefixes) > 1 else ():
        shorter = {n.removeprefix(prefix) for n in checkpoint.params if n.startswith(prefix)}
        if prefix and own.keys() <= shorter:
            counts = ", ".join(f"{name or 'no prefix'} ({n})" for name, n in prefixes.items())
            return [
                f"  Its names begin with {counts}. To keep one part:",
                f"  python -m semanir_arch.commands.convert {checkpoint.source} NEW.safetensors "
                f"--prefix {prefix}",
            ]
    return []


def describe_network(network: Mapping[str, Any] | None) -> str:
    """A network's option block in one line, for messages."""
    if not network:
        return "a network it does not name"
    arguments = ", ".join(f"{key}={show(value)}" for key, value in network.items() if key != "type")
    return f"{_printable(network.get('type', 'a network without type'))}({arguments})"


def _check_packing(path: Path) -> None:
    """Refuse an archive that would take many times its size in memory, or very long.

    Raises:
        CheckpointError: Its parts are compressed, or hold little but Python values.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {part.filename: part.file_size for part in archive.infolist()}
    except zipfile.BadZipFile:
        # torch says what is wrong with it
        return
    structure = sum(size for name, size in sizes.items() if name.endswith("data.pkl"))
    if structure > _MOST_STRUCTURE:
        # it is read value by value
        text = f"has {structure:,d} bytes of values besides tensors; allowed: {_MOST_STRUCTURE:,d}"
        raise CheckpointError(f"{path}: {text}")
    unpacked = sum(sizes.values())
    if unpacked > path.stat().st_size:
        text = f"a compressed archive of {unpacked:,d} bytes; torch does not compress its files"
        raise CheckpointError(f"{path}: {text}")


def _check_tensors(path: Path, params: Mapping[str, Tensor]) -> None:
    """Refuse weights that are larger than what the file holds of them.

    Raises:
        CheckpointError: A tensor repeats its elements, as an expanded one does.
    """
    for name, tensor in params.items():
        stored = tensor.layout != torch.strided or tensor.untyped_storage().nbytes()
        if tensor.layout == torch.strided and tensor.numel() * tensor.element_size() > stored:
            raise CheckpointError(
                f"{path}: {_printable(name)} has the shape {show(tuple(tensor.shape))}, but the "
                f"file holds only {stored:,d} bytes of it"
            )


def _printable(text: Any) -> str:
    """A text of a file as it can be shown in a terminal."""
    return text if isinstance(text, str) and text.isprintable() else show(text)


def _is_state_dict(state: Mapping[Any, Any]) -> bool:
    return bool(state) and all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    )


def _names(names: Iterable[str]) -> str:
    listed = [_printable(name) for name in names]
    rest = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return (", ".join(listed[:_SHOWN]) or "nothing") + rest


def _explain_refusal(error: str) -> str:
    """Words for a refused file; torch's message names the offending type."""
    foreign = re.search(r"GLOBAL (\S+)", error)
    if foreign is None:
        return "cut short, not a torch checkpoint, or a pickle of Python objects"
    return (
        f"holds a Python object ({foreign.group(1)}), and loading such objects can run code. "
        "If you trust the author, load it once with torch.load(..., weights_only=False) "
        "and keep only the weights: torch.save({'params': state_dict}, file)"
    )
