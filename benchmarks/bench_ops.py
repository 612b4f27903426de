"""Time the operators: `python benchmarks/bench_ops.py [PART ...] [--output FILE]`.

Every implementation that attends over kept keys is checked against the definition in float64, in
outputs and gradients, before it is timed. Lines appear, and are written to the file, as they are
made, so that an interruption costs only what was still to come.

`--union` instead prints which share of a window's keys a block of queries uses, per stage of a
trained network (`--weights FILE`, or else one that is trained for `--seconds` first), on
scikit-image's photographs. The part `photographs` prints the same and times the attention on those
features.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from measure import Timing, compare, header, markdown_line, markdown_rule
from ops_cases import FAILURES, HEADS, Case, Problem, candidates, cases, check, describe, flex
from torch import Tensor

from semanir_arch.archs.base import KeySemanticNetwork
from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.ops import KeySemanticDictionary, key_semantic_dictionary

PARTS = ("forward", "backward", "dictionary")
OPTIONAL_PARTS = ("photographs", "flex")

# Exponentials per second of an H200: 16 per cycle on each of 132 processors at 1.83 GHz.
EXPONENTIAL_LIMIT = 3.86e12

COLUMNS = ["dtype", "N", "k", "d", "windows", "bias", "pass", "implementation", "ms"]
COLUMNS += ["times dense", "peak MB", "T scores/s", "of the exponential limit"]


def main() -> None:
    """Print the report, and write it where `--output` says."""
    arguments = parse_arguments()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    file = arguments.output.open("w") if arguments.output else None
    for line in report(arguments, device):
        for stream in (sys.stdout, file):
            if stream is not None:
                stream.write(line)
                stream.flush()
    if file is not None:
        file.close()


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time the operators.")
    parts = ", ".join((*PARTS, *OPTIONAL_PARTS))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {parts}; default: {PARTS}")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=9, help="measurements per candidate")
    parser.add_argument("--union", action="store_true", help="print the share of keys in use")
    parser.add_argument("--weights", type=Path, help="weights file of a network")
    parser.add_argument("--seconds", type=float, default=150, help="of training without --weights")
    parser.add_argument("--dry-run", action="store_true", help="one small case of each kind")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - {*PARTS, *OPTIONAL_PARTS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; allowed: {parts}")
    return arguments


def report(arguments: argparse.Namespace, device: str) -> Iterator[str]:
    """Lines of the report."""
    parts = ["photographs"] if arguments.union else arguments.parts or PARTS
    yield header("Operators")
    baseline = "without bias" if device == "cuda" else "with the same bias if there is one"
    yield f"\nRandom inputs, {HEADS} heads. `dense` attends to every key, {baseline}.\n"
    rounds = arguments.rounds
    for part in parts:
        yield f"\n## {part.capitalize()}\n\n"
        if part == "dictionary":
            yield from dictionary_lines(device, rounds, small=arguments.dry_run)
        elif part == "photographs":
            network = _network(arguments, device)
            yield from union_lines(network, device)
            if not arguments.union:
                yield from photograph_lines(network, device, rounds, small=arguments.dry_run)
        elif part == "flex":
            yield from flex_lines(device, rounds, small=arguments.dry_run)
        else:
            chosen = cases(device, backward=part == "backward")
            yield from attention_lines(chosen, device, rounds, small=arguments.dry_run)


def attention_lines(
    chosen: Iterable[Case],
    device: str,
    rounds: int,
    features: Tensor | None = None,
    *,
    small: bool = False,
) -> Iterator[str]:
    """Check, then time, every implementation on every case; `features` are for the dictionary."""
    yield markdown_rule(COLUMNS)
    for case in map(_shrink, chosen) if small else chosen:
        two = replace(case, windows=2)
        checked = Problem.random(two, device, None if features is None else features[:2])
        failures = check(two, checked, candidates(two, checked, exact=True))
        problem = Problem.random(case, device, features)
        yield from _timed(case, problem, candidates(case, problem), failures, rounds)


def flex_lines(device: str, rounds: int, *, small: bool = False) -> Iterator[str]:
    """Time FlexAttention, which takes long to compile, on one case in both directions."""
    yield markdown_rule(COLUMNS)
    for backward in (False, True):
        case = next(iter(cases(device, backward=backward)))
        case = replace(_shrink(case) if small else case, bias=False)
        problem = Problem.random(case, device)
        runs = {"FlexAttention": flex(problem)}
        failures = check(case, problem, runs)
        runs = candidates(case, problem) | runs
        yield from _timed(case, problem, runs, failures, rounds)


def photograph_lines(
    network: KeySemanticNetwork, device: str, rounds: int, *, small: bool = False
) -> Iterator[str]:
    """Time the attention with the keys that tokens of photographs keep, in the first stage."""
    from photographs import stage_features

    features = stage_features(network, device)
    half = torch.bfloat16
    base = Case(half, len(features), features.shape[1], 32, k=64, bias=False, backward=False)
    chosen = [
        replace(base, k=k, backward=backward) for backward in (False, True) for k in (64, 256, 512)
    ]
    yield "\n"
    if small:
        features, chosen = features[:2, :64], [replace(c, windows=2, tokens=64) for c in chosen]
    yield from attention_lines(chosen, device, rounds, features, small=small)


def union_lines(network: KeySemanticNetwork, device: str) -> Iterator[str]:
    """Shares of the keys in use, per stage."""
    from union_ratio import union_table

    yield union_table(network, device)


def dictionary_lines(device: str, rounds: int, *, small: bool = False) -> Iterator[str]:
    """Compare building the dictionary with the whole stage of six layers that shares it."""
    windows, side = (8, 32) if device == "cpu" else (64, 32)
    if small:
        windows, side = 1, 8
    backend = "triton" if device == "cuda" else "auto"
    dim = HEADS * 30
    image = torch.randn(1, dim, side, side * windows, device=device)
    x = torch.randn(windows, side * side, dim, device=device)
    yield markdown_rule(["k", "what", "ms", "share of the stage"])
    for k in (side * side // 2, side * side // 16):
        stage = KeySemanticStage(dim, 6, HEADS, side, k=k, backend=backend).to(device).eval()
        build = partial(key_semantic_dictionary, x, k)
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, device == "cuda"):
            dictionary: KeySemanticDictionary = build()
            steps: dict[str, Callable[[], object]] = {
                "stage of 6 layers": partial(stage, image),
                "its dictionary": partial(build, backend=backend),
                "dictionary, plain torch": build,
                "dictionary, stable sort": partial(build, backend="naive"),
                "lists of the keys in use": partial(_list_keys, dictionary),
            }
            if device == "cpu":
                del steps["dictionary, plain torch"]
            timings = compare(steps, rounds, 1)
        whole = timings["stage of 6 layers"]
        for name, timing in timings.items():
            yield markdown_line(
                [str(k), name, f"{timing.median:.2f}", f"{timing.ratio(whole):.3f}"]
            )


def _network(arguments: argparse.Namespace, device: str) -> KeySemanticNetwork:
    from photographs import load, train

    if arguments.weights is not None:
        return load(arguments.weights, device)
    return train(arguments.seconds, device)


def _shrink(case: Case) -> Case:
    return replace(case, windows=2, tokens=64, k=min(case.k, 16))


def _timed(
    case: Case,
    problem: Problem,
    runs: dict[str, Callable[[], Tensor]],
    failures: dict[str, str],
    rounds: int,
) -> Iterator[str]:
    steps: dict[str, Callable[[], object]] = {}
    peaks = {}
    for name, run in runs.items():
        if name in failures:
            continue
        step = _with_backward(run, problem.inputs) if case.backward else run
        try:
            with torch.set_grad_enabled(case.backward):
                peaks[name] = _peak(step)
        except FAILURES as error:
            failures[name] = describe(error)
            continue
        steps[name] = step
    with torch.set_grad_enabled(case.backward):
        timings = compare(steps, rounds, 1)
    for name, timing in timings.items():
        yield _row(case, name, timing, timings.get("dense", timing), peaks[name])
    for name, reason in failures.items():
        yield markdown_line([*_words(case), name, reason, *[""] * 4])


def _list_keys(dictionary: KeySemanticDictionary) -> None:
    # A copy has no lists yet.
    replace(dictionary).union(128)


def _with_backward(forward: Callable[[], Tensor], inputs: list[Tensor]) -> Callable[[], object]:
    return lambda: torch.autograd.grad(forward().sum(), inputs, allow_unused=True)


def _peak(step: Callable[[], object]) -> str:
    """Run once; memory beyond the inputs, in MB, where torch counts it."""
    step()
    if not torch.cuda.is_available():
        return ""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    return f"{(torch.cuda.max_memory_allocated() - before) / 2**20:.0f}"


def _words(case: Case) -> list[str]:
    numbers = (case.tokens, case.k, case.head_dim, case.windows)
    direction = "forward and backward" if case.backward else "forward"
    return [str(case.dtype)[6:], *map(str, numbers), "yes" if case.bias else "no", direction]


def _row(case: Case, name: str, timing: Timing, dense: Timing, peak: str) -> str:
    rate = case.scores / (timing.median * 1e-3)
    share = f"{rate / EXPONENTIAL_LIMIT:.0%}" if torch.cuda.is_available() else ""
    cells = [f"{timing.median:.2f}", f"{timing.ratio(dense):.2f}", peak, f"{rate / 1e12:.2g}"]
    return markdown_line([*_words(case), name, *cells, share])


if __name__ == "__main__":
    main()
