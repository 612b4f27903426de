"""Count the kernels' machine instructions without a GPU: `python benchmarks/bench_offline.py`.

Every configuration is compiled for Hopper with the compiler and the disassembler that ship with
Triton. What counts is the loop over keys (or queries, or windows): instructions per score, that is
per query, key and head. An H200 issues 8 instructions in the time of one exponential.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measure import header, markdown_table

__all__ = ["Count", "Shape", "count", "launches", "why_not"]

_TARGET = 90
_POINTERS = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.int32: "*i32",
    torch.int16: "*i16",
}


@dataclass(frozen=True)
class Shape:
    """One configuration: what the kernels are specialised for."""

    dtype: torch.dtype
    head_dim: int
    bias: bool
    tokens: int = 1024
    union: bool = False
    packed: bool = False
    """Whether q, k, v are views of one projection, as in the network."""
    matrix: bool = False
    """Whether the bias is a matrix (h, N, N) instead of the network's table."""

    def __str__(self) -> str:
        words = [str(self.dtype)[6:], f"d={self.head_dim}", f"N={self.tokens}"]
        words += [word for word in ("bias", "union", "packed", "matrix") if getattr(self, word)]
        return " ".join(words)


@dataclass(frozen=True)
class Count:
    """Facts of a compiled kernel.

    Attributes:
        per_score: Instructions per score in the main loop; for a kernel without exponentials, the
            instructions of the whole kernel.
        exponentials: Exponentials per score, in the main loop.
        registers: Registers per thread.
        stack: Bytes per thread that did not fit into registers.
        shared: Bytes of shared memory.
    """

    per_score: float
    exponentials: float
    registers: int
    stack: int
    shared: int


def why_not() -> str | None:
    """Why nothing can be counted here, or None."""
    try:
        from triton.backends import nvidia
    except ImportError as error:
        return f"Triton's NVIDIA compiler is missing: {error}"
    missing = [n for n in ("ptxas", "nvdisasm", "cuobjdump") if not (_tools(nvidia) / n).exists()]
    return f"Triton's wheel has no {', '.join(missing)}" if missing else None


def launches(shape: Shape) -> Iterator[tuple[str, Any]]:
    """Name and launch of each attention kernel, on tensors without data."""
    from semanir_arch.ops.attention import kernel_launch as kernels

    heads, tokens = 6, shape.tokens
    # As many tokens in all, so that a share of the windows is more than one.
    windows = 65536 // tokens * (16 if tokens < 256 else 1)
    if shape.packed:
        packed = torch.empty(
            (windows, tokens, 3, heads, shape.head_dim), dtype=shape.dtype, device="meta"
        )
        q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
    else:
        size = (windows, heads, tokens, shape.head_dim)
        q, k, v = (torch.empty(size, dtype=shape.dtype, device="meta") for _ in range(3))
    words = -(-tokens // 32)
    bits = torch.empty((windows, tokens, words), dtype=torch.int32, device="meta")
    side = round(tokens**0.5)
    bias_shape = (tokens, tokens) if shape.matrix else (side, side * (2 * side - 1))
    bias = torch.empty((heads, *bias_shape), dtype=shape.dtype, device="meta")
    union = None
    if shape.union:
        block = 128 if shape.dtype.itemsize == 2 else 64
        blocks = -(-tokens // block)
        keys = torch.empty((windows, blocks, tokens), dtype=torch.int16, device="meta")
        sizes = torch.empty((windows, blocks), dtype=torch.int32, device="meta")
        union = kernels.Union(keys, sizes, bits, block)
    last = (bits, bias if shape.bias else None, 0.3, union)
    forward = kernels.plan_forward(q, k, v, *last)
    yield "forward", forward
    o, lse = forward.arguments["o"], forward.arguments["lse"]
    plan = kernels.plan_backward(o, q, k, v, o, lse, *last, bias_gradient=shape.bias)
    names = ("dq", "dkv", "dbias")
    # The union changes only the passes that own queries.
    yield from zip(names[:1] if shape.union else names, plan, strict=False)


def dictionary_launches(dtype: torch.dtype, tokens: int = 1024) -> Iterator[tuple[str, Any]]:
    """Name and launch of each kernel of the dictionary."""
    from semanir_arch.ops.dictionary import triton as kernels

    x = torch.empty((8, tokens, 180), dtype=dtype, device="meta")
    bits = torch.empty((8, tokens, -(-tokens // 32)), dtype=torch.int32, device="meta")
    yield from zip(("similarity", "select"), kernels.plan(x, 64, None, bits), strict=False)


def count(launch: Any) -> Count:
    """Compile a launch for Hopper and count."""
    from triton.backends import nvidia

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        compiled = _compile(launch)
        file.write_bytes(compiled.asm["cubin"])
        usage = _run(_tools(nvidia) / "cuobjdump", "-res-usage", str(file))
        code = _run(_tools(nvidia) / "nvdisasm", "-c", str(file))
    numbers = {name: int(n) for name, n in re.findall(r"(REG|STACK):(\d+)", usage)}
    loop, body = _main_loop(code)
    per_score = float(loop)
    exponentials = 0.0
    if body:
        tile = launch.tile
        lanes = 32 * tile.warps / (tile.queries * tile.keys)
        # A loop may have been unrolled.
        steps = max(1, round(body * lanes))
        per_score, exponentials = loop * lanes / steps, body * lanes / steps
    return Count(
        per_score, exponentials, numbers["REG"], numbers["STACK"], compiled.metadata.shared
    )


def _compile(launch: Any) -> Any:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = launch.kernel
    signature, constants, attributes = {}, {}, {}
    for index, parameter in enumerate(function.params):
        value = launch.arguments[parameter.name]
        name = parameter.name
        aligned = False
        if parameter.is_constexpr or value is None:
            signature[name], constants[name] = "constexpr", value
        elif isinstance(value, torch.Tensor):
            signature[name] = _POINTERS[value.dtype]
            aligned = bool(value.storage_offset() * value.element_size() % 16 == 0)
        elif isinstance(value, float):
            signature[name] = "fp32"
        elif value == 1:
            signature[name], constants[name] = "constexpr", 1
        else:
            signature[name] = "i32" if abs(value) < 2**31 else "i64"
            aligned = value % 16 == 0
        if aligned:
            attributes[(index,)] = [["tt.divisibility", 16]]
    warps = launch.tile.warps if hasattr(launch, "tile") else launch.warps
    stages = launch.tile.stages if hasattr(launch, "tile") else launch.stages
    source = ASTSource(function, signature, constants, attributes)
    # A failing ptxas prints the whole program.
    with contextlib.redirect_stderr(io.StringIO()):
        return triton.compile(
            source,
            target=GPUTarget("cuda", _TARGET, 32),
            options={"num_warps": warps, "num_stages": stages},
        )


def _main_loop(code: str) -> tuple[int, int]:
    """Instructions and exponentials of the first loop with exponentials, else of everything."""
    lines = [
        line.strip()
        for line in code.splitlines()
        if re.match(r"\s*(/\*[0-9a-f]{4,}\*/|\.L_x_\d+:)", line)
    ]
    labels = {line[:-1]: at for at, line in enumerate(lines) if line.startswith(".L_")}
    for at, line in enumerate(lines):
        target = re.search(r"BRA.*`\((\.L_x_\d+)\)", line)
        if target is None or labels.get(target.group(1), at) >= at:
            continue
        body = [x for x in lines[labels[target.group(1)] : at + 1] if not x.startswith(".L_")]
        exponentials = sum("MUFU.EX2" in x for x in body)
        # More than one exponential per row: the loop over scores, not what follows it.
        if exponentials >= 8:
            return len(body), exponentials
    return sum(not line.startswith(".L_") for line in lines), 0


def _tools(nvidia: Any) -> Path:
    return Path(nvidia.__file__).parent / "bin"


def _run(*command: object) -> str:
    arguments = [str(word) for word in command]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Print the table, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Count instructions without a GPU.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    arguments = parser.parse_args()
    reason = why_not()
    if reason is not None:
        raise SystemExit(reason)
    half = torch.bfloat16
    shapes = [
        *(Shape(half, d, bias) for d in (32, 64, 128) for bias in (False, True)),
        *(Shape(half, 32, bias, union=True) for bias in (False, True)),
        Shape(half, 30, bias=True, packed=True),
        Shape(half, 32, bias=True, matrix=True),
        Shape(torch.float16, 32, bias=False),
        *(Shape(torch.float32, 32, bias) for bias in (False, True)),
    ]
    rows = [
        [str(shape), name, *_tile(launch), *_cells(count(launch))]
        for shape in shapes
        for name, launch in launches(shape)
    ]
    rows += [
        [f"{str(dtype)[6:]} N={tokens}", name, "", "", *_cells(count(launch))]
        for dtype, tokens in ((torch.float32, 1024), (half, 1024), (half, 4096))
        for name, launch in dictionary_launches(dtype, tokens)
    ]
    columns = ["configuration", "kernel", "block", "warps", "instructions per score"]
    columns += ["exponentials", "registers", "stack", "shared"]
    report = header("Kernels, counted") + "\n"
    report += markdown_table(columns, rows)
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def _tile(launch: Any) -> list[str]:
    tile = launch.tile
    return [f"{tile.queries} x {tile.keys}", str(tile.warps)]


def _cells(counted: Count) -> list[str]:
    per_score = f"{counted.per_score:.1f}" if counted.exponentials else f"({counted.per_score:.0f})"
    numbers = (counted.registers, counted.stack, counted.shared)
    return [per_score, f"{counted.exponentials:.2f}", *map(str, numbers)]


if __name__ == "__main__":
    main()
