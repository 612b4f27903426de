"""Export a network: `python -m semanir_arch.restoring.export WEIGHTS -o FILE`.

The suffix of FILE decides: `.onnx` (onnxruntime and others), `.pt2` (torch.export), `.safetensors`
(weights with the options that rebuild the network).
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.export import ExportedProgram

from semanir_arch import __version__
from semanir_arch.archs.base import KeySemanticNetwork, RestorationNetwork
from semanir_arch.bridges.converting import convert
from semanir_arch.bridges.foreign import ForeignNetwork
from semanir_arch.bridges.opening import open_network, weights_or_shipped
from semanir_arch.restoring import onnx_graph
from semanir_arch.restoring.loading import describe
from semanir_arch.restoring.tracing import smallest_side, trace
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint
from semanir_arch.utils.command_line import Parser, run_guarded
from semanir_arch.utils.errors import ExistingFileError, InputError, MissingFileError
from semanir_arch.utils.options.yaml_reading import parse_value

__all__ = ["Exported", "export", "main"]

SUFFIXES = (".onnx", ".pt2", ".safetensors")

TOLERANCE = 1e-3
"""Largest error of a file's result, in units of the image range, before it is written."""

TIES = 1e-4
"""Share of values beyond it that key-semantic networks may have: of two keys that are as similar to
the last bits, programs that add in another order may keep different ones."""

METADATA_FILE = "metadata.json"
"""Extra file of a `.pt2` that holds the metadata."""


class Exported(NamedTuple):
    """Facts of the written file.

    Args:
        metadata: The metadata in the file.
        difference: Largest difference from the network's own result, over the images tried; None
            if nothing here can run the file.
    """

    metadata: dict[str, str]
    difference: float | None


def export(
    weights: Path,
    target: Path,
    *,
    tile: int | None = None,
    k: int | None = None,
    network: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a network as a file that other programs run, after comparing its results.

    Args:
        weights: File that `load_checkpoint` reads.
        target: File to write; its suffix decides the format.
        tile: Side in pixels of the images that the file takes; None for any.
        k: Keys kept per token; None for the number the network was built with.
        network: Option block of the network; None for the one in the weights file.
        overwrite: Whether `target` may exist.

    Returns:
        Facts of the written file.

    Raises:
        FileNotFoundError: No such weights file, or no such folder for `target`.
        FileExistsError: `target` exists.
        ValueError: The weights or an argument cannot be used, a package is missing, or the file
            would not restore as the network does.
    """
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{target}: suffix must be one of {', '.join(SUFFIXES)}")
    if target.exists() and not overwrite:
        raise ExistingFileError(f"{target} exists; --overwrite replaces it")
    if not target.parent.is_dir():
        raise MissingFileError(f"{target}: no such folder, {target.parent}")
    if tile is not None and tile < 1:
        raise InputError(f"tile={tile} must be at least 1 pixel")
    if suffix == ".onnx":
        onnx_graph.require_onnx()
    checkpoint = load_checkpoint(weights)
    if network:
        checkpoint = replace(checkpoint, network=dict(network))
    options = dict(checkpoint.network or {})
    built = _build(checkpoint, k)
    if suffix == ".safetensors":
        if tile is not None or k is not None:
            raise InputError(f"{target}: tile and k are of .onnx and .pt2; this file has weights")
        convert(weights, target, network=network)
        return Exported({}, None)
    if isinstance(built, ForeignNetwork) and tile is None:
        raise InputError(
            f"{target}: {built.name} is another project's network, whose graph has one size: "
            "set it with --tile 256"
        )
    program = trace(built, tile)
    least = tile or smallest_side(built, checked=suffix != ".onnx")
    metadata = _describe(built, options, checkpoint, tile, least)
    if suffix == ".onnx":
        content = _to_onnx(built, program, metadata, target, open_sizes=tile is None)
        runner = _onnx_runner(content) if onnx_graph.can_run() else None
    else:
        content = _serialise(program, metadata)
        runner = torch.export.load(io.BytesIO(content)).module()
    difference = None if runner is None else _compare(built, runner, tile, least)
    if difference is not None:
        _check(built, difference, target)
    with replacing(target, overwrite=overwrite) as file:
        file.write(content)
    return Exported(metadata, None if difference is None else float(difference.max()))


def _build(checkpoint: Checkpoint, k: int | None) -> RestorationNetwork:
    built = open_network(checkpoint)
    if isinstance(built, KeySemanticNetwork):
        built.k = built.k if k is None else k
    elif k is not None:
        raise InputError(f"k={k}: {describe(built)} has no key-semantic dictionary")
    return built


def _describe(
    network: RestorationNetwork,
    options: Mapping[str, Any],
    checkpoint: Checkpoint,
    tile: int | None,
    least: int,
) -> dict[str, str]:
    """Facts that a program needs to use the file; values are texts, lists and mappings as JSON."""
    names = {1: "gray", 3: "RGB"}
    facts: dict[str, Any] = {
        "writer": f"semanir_arch {__version__}",
        "network": dict(options),
        "k": network.k if isinstance(network, KeySemanticNetwork) else None,
        "scale": network.upscale,
        "channels_in": network.in_chans,
        "channels_out": network.out_chans,
        "channel_order": names.get(network.in_chans, f"{network.in_chans} channels"),
        "layout": "batch of 1, channels, height, width; float32",
        "range": "[0, 1]; the result is not clamped",
        "sizes": "open" if tile is None else f"{tile} x {tile}",
        "smallest_side": least,
        "size_multiple": network.size_multiple,
        "padding": f"{network.padding_mode}, right and bottom, inside the graph",
        "training": checkpoint.metadata or None,
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in facts.items()
        if value is not None
    }


def _serialise(program: ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA_FILE: json.dumps(metadata, indent=2)})
    return buffer.getvalue()


def _to_onnx(
    network: RestorationNetwork,
    program: ExportedProgram,
    metadata: Mapping[str, str],
    target: Path,
    *,
    open_sizes: bool,
) -> bytes:
    """Export to ONNX; what ONNX lacks for a foreign network is no defect of ours."""
    try:
        return onnx_graph.to_onnx(program, metadata, open_sizes=open_sizes)
    except RuntimeError as error:
        if not isinstance(network, ForeignNetwork):
            raise
        raise InputError(
            f"{target}: torch cannot write {network.name} as ONNX; a .pt2 file may hold it"
        ) from error


def _onnx_runner(content: bytes) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.from_numpy(onnx_graph.run(content, x.numpy()))


def _compare(
    network: RestorationNetwork, runner: Callable[[Tensor], Tensor], tile: int | None, least: int
) -> Tensor:
    """Differences over images of one size, or of three where sizes are open, in one dimension."""
    step = network.size_multiple
    sizes = [(least, least)]
    if tile is None:
        sizes += [(step + 1, 2 * step), (3 * step - 3, step + 5)]
    differences = []
    for height, width in sizes:
        x = torch.rand(1, network.in_chans, height, width)
        with torch.inference_mode():
            differences.append((runner(x) - network(x)).abs().flatten())
    return torch.cat(differences)


def _check(network: RestorationNetwork, difference: Tensor, target: Path) -> None:
    beyond = float((~(difference <= TOLERANCE)).float().mean())
    if beyond > (TIES if isinstance(network, KeySemanticNetwork) else 0):
        raise InputError(
            f"{target}: not written, its result differs by up to {difference.max():.1e} of the "
            f"range from the network's, in {beyond:.2%} of values by more than {TOLERANCE}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Export one network.

    Returns:
        0, or 2 if something given cannot be used.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded("export", lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> None:
    weights = weights_or_shipped(arguments.weights)
    exported = export(
        weights,
        arguments.output,
        tile=arguments.tile,
        k=arguments.k,
        network=arguments.network,
        overwrite=arguments.overwrite,
    )
    size = arguments.output.stat().st_size / 2**20
    sys.stdout.write(f"{weights} -> {arguments.output} ({size:.1f} MiB)\n")
    for key in ("sizes", "smallest_side", "channel_order", "range", "scale"):
        if key in exported.metadata:
            sys.stdout.write(f"  {key}: {exported.metadata[key]}\n")
    if exported.difference is not None:
        sys.stdout.write(f"  largest difference from torch: {exported.difference:.1e}\n")
    elif arguments.output.suffix.lower() == ".onnx":
        sys.stdout.write("  not compared with torch: onnxruntime is not installed\n")


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(prog="python -m semanir_arch.restoring.export", description="Export a network.")
    parser.add_argument(
        "weights", help="file with weights, or a task with shipped ones (semanir-restore --list)"
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, help=f"suffix {', '.join(SUFFIXES)}"
    )
    parser.add_argument(
        "--tile", type=int, metavar="PIXELS", help="fix height and width; default: any size"
    )
    parser.add_argument("--k", type=int, help="keys kept per token; default: as trained")
    parser.add_argument(
        "--network",
        type=_read_options,
        help="option block, for files that do not name their network: "
        "'{type: RAMiT, task: low_light}'",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return parser


def _read_options(text: str) -> dict[str, Any]:
    try:
        options = parse_value(text)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise argparse.ArgumentTypeError(f"received {text!r}; a mapping is needed")
    return options


if __name__ == "__main__":
    sys.exit(main())
