"""What a run computes with: chosen once, the same in all its processes and after every resume.

Which backends of the attention run here depends on the state of the computer: whether somebody has
compiled the native library, which processor there is. All give the same result but for the last
digits, in which two trainings then differ. So the first process chooses, the others repeat its
choice, the log, states and reports keep it, and a resumed training repeats that of its state.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from semanir_arch.archs import NETWORKS
from semanir_arch.archs.base import KeySemanticNetwork
from semanir_arch.ops import native
from semanir_arch.ops.backend import choose_freely, keep_to, list_offered
from semanir_arch.report.provenance import describe_computer
from semanir_arch.utils import devices, processes
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.processor import describe_instructions

__all__ = ["Arithmetic", "agree", "observe"]

_GO_ON = "--force_yml other_arithmetic=true"


@dataclass(frozen=True)
class Arithmetic:
    """Choices that affect the last digits of results.

    Args:
        device: `cpu` or `cuda`.
        backends: Backends of the attention, in the order of the automatic choice, each with its
            kernels; empty for networks without attention.
        facts: Versions, processor and threads: no run can repeat those of another computer.
        notes: Differences from what was to be repeated, for people.
    """

    device: str
    backends: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for files."""
        return {"device": self.device, "backends": list(self.backends), "facts": self.facts}

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> Arithmetic:
        """Read what `to_plain` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            return cls(
                str(content["device"]),
                tuple(map(str, content["backends"])),
                dict(content["facts"]),
            )
        except (KeyError, TypeError) as error:
            raise InputError(
                f"received {content!r}, which is not a record of arithmetic"
            ) from error

    def write_to(self, logger: logging.Logger) -> None:
        """Log what is computed with, and what differs."""
        attention = f"attention by {', '.join(self.backends)}; " if self.backends else ""
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        logger.info("Computing with: %s%s", attention, facts)
        for note in self.notes:
            logger.warning("%s", note)


def observe(options: Mapping[str, Any]) -> Arithmetic:
    """Find what this process would compute with, if nothing is to be repeated.

    Args:
        options: Complete options.
    """
    device = devices.device_of_run(options.get("num_gpu"))
    name = _backend(options)
    return Arithmetic(
        device, tuple(list_offered(device, name)) if name is not None else (), _facts(device)
    )


def agree(options: Mapping[str, Any], recorded: Mapping[str, Any] | None = None) -> Arithmetic:
    """Let all processes compute with the same.

    Every process of the run must call it.

    Args:
        options: Complete options.
        recorded: Arithmetic of an earlier part of the run; None or empty if unknown. Ignored in all
            processes but the first.

    Returns:
        Arithmetic of this process from now on.

    Raises:
        ValueError: A process cannot repeat it, and `other_arithmetic` is false.
    """
    choose_freely()
    mine = observe(options)
    model: Arithmetic = processes.broadcast(Arithmetic.from_plain(recorded) if recorded else mine)
    origin = "the saved state" if processes.broadcast(bool(recorded)) else "the first process"
    missing = _repeat(model, mine.device, options)
    everywhere = processes.gather((platform.node(), missing, mine.facts))
    problems = [
        f"process {rank} on {computer} cannot compute with {what}, with which {origin} does: {why}"
        for rank, (computer, reasons, _) in enumerate(everywhere)
        for what, why in reasons.items()
    ]
    if problems and not options.get("other_arithmetic", False):
        choose_freely()
        raise InputError(_refusal(problems))
    if problems:
        choose_freely()
    notes = [f"{problem}. Continuing, as other_arithmetic is set." for problem in problems]
    return replace(observe(options), notes=(*notes, *_compare_facts(model, origin, everywhere)))


def _repeat(model: Arithmetic, device: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Switch to what another process computes with; what is impossible, and why."""
    name = _backend(options)
    if name is None:
        return {}
    if model.device != device:
        return {model.device: f"it computes with {device}"}
    return keep_to(model.backends, device, name)


def _refusal(problems: list[str]) -> str:
    lines = "\n".join(f"  {problem}" for problem in problems)
    return (
        f"the last digits of the results would differ:\n{lines}\n"
        f"Where the native library is not compiled: {native.COMMAND}. To continue "
        f"anyway: {_GO_ON}"
    )


def _compare_facts(
    model: Arithmetic, origin: str, everywhere: list[tuple[str, dict[str, str], dict[str, Any]]]
) -> Iterator[str]:
    """Say what no run can repeat."""
    for rank, (computer, _, facts) in enumerate(everywhere):
        other = [
            f"{name} {facts.get(name)} instead of {value}"
            for name, value in model.facts.items()
            if facts.get(name) != value
        ]
        if other:
            yield (
                f"Process {rank} on {computer} has {', '.join(other)} (of {origin}): the last "
                "digits of results may differ."
            )


def _backend(options: Mapping[str, Any]) -> str | None:
    """The backend that the network names; None for networks without key-semantic attention."""
    block = options.get("network_g") or {}
    network = NETWORKS.get(str(block.get("type")))
    if network is None or not issubclass(network, KeySemanticNetwork):
        return None
    return str(block.get("backend", "auto"))


def _facts(device: str) -> dict[str, Any]:
    computer = describe_computer(device)
    return {
        "torch": torch.__version__,
        "device": computer["device"],
        "instructions": describe_instructions(),
        "threads": computer["threads"],
    }
