"""From a file with weights, of any origin, to its network; or why not, and what helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from semanir_arch.archs import NETWORKS, build_network
from semanir_arch.archs.base import RestorationNetwork
from semanir_arch.bridges import basicsr_networks, spandrel_reader
from semanir_arch.bridges.hub_download import fetch
from semanir_arch.tasks import find_task
from semanir_arch.utils.checkpoint import Checkpoint, align, check_fit, load_into
from semanir_arch.utils.checkpoint_layout import find_family
from semanir_arch.utils.errors import CheckpointError, InputError
from semanir_arch.weights import find

__all__ = ["check_usable", "find_weights", "open_network", "weights_or_shipped"]

_EXAMPLES = {
    "SemanIR": "{type: SemanIR, upscale: 4, window_size: 32, k: 512}",
    "SemanIRUNet": "{type: SemanIRUNet, window_size: 32, k: 512}",
    "Restormer": "{type: Restormer}",
    "RAMiT": "{type: RAMiT, task: low_light}",
}
"""Option blocks that name a network, by the family of its weights."""


def find_weights(given: str | Path) -> Path:
    """The file of what a command or a caller names.

    Args:
        given: A file, or `hf:USER/REPO[@REVISION]`.

    Raises:
        ValueError: The address is not one, or the hub cannot be used; see `hub_download.fetch`.
        FileNotFoundError: The hub has no such weights, or cannot be reached.
    """
    if not str(given).startswith("hf:"):
        return Path(given)
    return fetch(str(given))


def weights_or_shipped(given: str) -> Path:
    """The file of what a command names, or the shipped one of a task.

    Args:
        given: File or address as in `find_weights`, or the name of a task with shipped weights; a
            file of that name comes first.

    Raises:
        ValueError: As in `find_weights`.
        FileNotFoundError: As in `find_weights`, or no weights are shipped for the task.
    """
    path, task = find_weights(given), find_task(given)
    if task is None or not task.has_network or path.exists():
        return path
    return find(given).path


def open_network(
    checkpoint: Checkpoint, accept: Callable[[RestorationNetwork], None] | None = None
) -> RestorationNetwork:
    """Build the network of a checkpoint, with its weights, in evaluation mode.

    The networks of this package are built from the options that the file carries. Others are read
    by spandrel, or built by BasicSR from these options, whichever is installed and knows them.

    Args:
        checkpoint: Result of `load_checkpoint`.
        accept: Raises, if the network is none that the caller can use; called before weights are
            compared, which says more about a network that was mistaken for another.

    Raises:
        ValueError: Nothing here can build the network, or the weights do not fit; says what helps.
    """
    ours = _type_of(checkpoint) in NETWORKS
    if ours:
        # without memory first: a file cannot ask for a network larger than its own weights
        with torch.device("meta"):
            fitting = _build(checkpoint)
        if accept is not None:
            accept(fitting)
        check_fit(fitting, checkpoint)
        network = _build(checkpoint)
        load_into(network, checkpoint)
    else:
        network = _open_foreign(checkpoint)
        if accept is not None:
            accept(network)
    return network.eval().requires_grad_(False)


def check_usable(checkpoint: Checkpoint) -> Checkpoint:
    """Refuse what `open_network` refuses; networks of this package are not given memory for it.

    Returns:
        The checkpoint; weights of this package's networks by the names that these give them.

    Raises:
        ValueError: As `open_network`; or weights are NaN or infinite.
    """
    broken = [
        name
        for name, value in checkpoint.params.items()
        if value.is_floating_point() and not bool(value.isfinite().all())
    ]
    if broken:
        raise CheckpointError(
            f"{checkpoint.source}: {len(broken)} of {len(checkpoint.params)} weights are not "
            f"finite (first: {broken[0]}); did its training finish?"
        )
    if _type_of(checkpoint) not in NETWORKS:
        _open_foreign(checkpoint)
        return checkpoint
    with torch.device("meta"):
        network = _build(checkpoint)
    check_fit(network, checkpoint)
    return align(network, checkpoint)


def _type_of(checkpoint: Checkpoint) -> str | None:
    """The class of the network that a file names; None where it names none, or no text."""
    name = (checkpoint.network or {}).get("type")
    return name if isinstance(name, str) else None


def _build(checkpoint: Checkpoint) -> RestorationNetwork:
    try:
        return build_network(checkpoint.network or {})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{checkpoint.source}: its network is unknown to this version: {error}"
        ) from error


def _open_foreign(checkpoint: Checkpoint) -> RestorationNetwork:
    name = _type_of(checkpoint)
    problem = None
    if spandrel_reader.is_installed():
        try:
            found = spandrel_reader.recognise(checkpoint)
        except spandrel_reader.ForeignError as error:
            problem = error
        else:
            if found is not None:
                return found
    entry = None if name is None else basicsr_networks.find_basicsr(name)
    if entry is not None:
        return basicsr_networks.build_basicsr(checkpoint, entry)
    if problem is not None:
        raise problem
    raise CheckpointError(_explain(checkpoint, name))


def _explain(checkpoint: Checkpoint, name: object) -> str:
    """Why nothing here can build the network of a file."""
    source = checkpoint.source
    if name is not None:
        text = ""
        try:
            build_network(checkpoint.network or {})
        except (TypeError, ValueError) as error:
            text = f"{source}: its network is unknown to this version: {error}"
        if not spandrel_reader.is_installed():
            text += f". Networks of BasicSR and others need spandrel: {spandrel_reader.INSTALL}"
        return text
    family = find_family(checkpoint.params)
    if family is not None:
        return (
            f"{source}: {checkpoint.layout}, which does not say which network it belongs to. The "
            f"names are {family}'s; give the missing facts with: python -m "
            f"semanir_arch.commands.convert {source} NEW.safetensors --network "
            f"'{_EXAMPLES[family]}'"
        )
    if spandrel_reader.is_installed():
        known = "no architecture of this package or of spandrel has such weights"
    else:
        known = f"other projects' networks are recognized by spandrel: {spandrel_reader.INSTALL}"
    option_file = _find_option_file(source)
    network = option_file if option_file is not None else "'{type: NAME, ...}'"
    return (
        f"{source}: {checkpoint.layout}, which does not say which network it belongs to; {known}. "
        f"If it is one of this package, name it: python -m semanir_arch.commands.convert {source} "
        f"NEW.safetensors --network {network}"
    )


def _find_option_file(source: Path) -> Path | None:
    """The option file that a training of BasicSR left beside its folder of models."""
    if source.parent.name != "models":
        return None
    files = sorted(source.parent.parent.glob("*.yml"))
    return files[0] if len(files) == 1 else None
