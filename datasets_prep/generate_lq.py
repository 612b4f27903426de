"""Write degraded versions of clean images: inputs for `semanir-restore`, or fixed test sets.

    python datasets_prep/generate_lq.py --damage noise --sigma 25 photo.png noisy.png
    python datasets_prep/generate_lq.py --damage bicubic --scale 2 --template '{}x2' HR LR/X2
    python datasets_prep/generate_lq.py --damage rain --set amount=[10,60] length=20 photos rainy
    python datasets_prep/generate_lq.py --damage second_order --preview sheet.jpg photo.png

The last one writes a contact sheet of the damage from weak to strong, and nothing else.

Results are PNG files in the depth of their image (JPEG: 8 bit). A file clips and rounds what it
stores, unlike the noise of the published denoising tables, which reaches the network as floats; so
these files are a little easier. `GaussianDenoisingDataset` makes the noise of the tables.

Every image has its own randomness, which depends on `--seed` and its name only. Of a folder, the
record `manifest.json` in the output holds the parameters and what is done: an interrupted run
continues, a finished one is not repeated, and other parameters need another folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from semanir_arch.data.degradations.damages import DAMAGES, find_damage
from semanir_arch.data.preparation.degrading import (
    Degradation,
    DegradingJob,
    degrade_file,
    parse_degradation,
)
from semanir_arch.data.preparation.parallel_jobs import (
    Progress,
    default_workers,
    run_jobs,
    run_script,
    say,
)
from semanir_arch.data.preparation.patch_manifest import PatchManifest
from semanir_arch.data.preparation.patches import patch_path
from semanir_arch.data.preparation.preview import write_preview
from semanir_arch.data.sources.scanning import IMAGE_SUFFIXES, scan_images
from semanir_arch.tasks import TASKS
from semanir_arch.utils.errors import InputError, UserError, message_of
from semanir_arch.utils.options.yaml_reading import parse_value
from semanir_arch.utils.same_names import first_clash
from semanir_arch.utils.suggestions import did_you_mean

_SHORTCUTS = ("sigma", "scale", "quality")


def plan(source: Path, output: Path, template: str = "{}") -> dict[str, tuple[Path, Path]]:
    """Source and target of every image, by its name within the run.

    Args:
        source: An image, or a folder.
        output: Output for an image: a folder, or a file name that ends in .png. For a folder: a
            folder, in which the sub-folders are repeated.
        template: Name of a result without suffix, where {} is that of its image.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: There is no image, the output has another suffix, or results would replace each
            other or the source.
    """
    if template.count("{}") != 1:
        raise InputError(f"--template must have one {{}}, received {template!r}")
    if source.is_file():
        if output.suffix.lower() in IMAGE_SUFFIXES and output.suffix.lower() != ".png":
            raise InputError(f"{output}: results are PNG files, name it .png")
        is_file_name = output.suffix.lower() == ".png" and not output.is_dir()
        target = output if is_file_name else output / f"{template.format(source.stem)}.png"
        jobs = {source.name: (source, target)}
    else:
        jobs = {}
        for path in scan_images(source):
            inside = path.relative_to(source)
            target = output / inside.with_name(f"{template.format(inside.stem)}.png")
            jobs[inside.as_posix()] = (path, target)
    twins = first_clash(str(target.resolve()) for _, target in jobs.values())
    if twins is not None:
        one, other = (Path(target).name for target in twins)
        same = "differ only in their suffix"
        if one != other:
            same = f"would become {one} and {other}, which are one name on some systems"
        raise InputError(f"{source}: two images {same}")
    targets = {target.resolve() for _, target in jobs.values()}
    for clean, _ in jobs.values():
        if clean.resolve() in targets:
            raise InputError(f"{clean}: the result would replace it; choose another output")
    return jobs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parse(argv)
    return run_script(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> list[str]:
    if arguments.preview is not None:
        return _run_preview(arguments)
    if arguments.output is None:
        raise InputError("an output is needed, or --preview FILE for a contact sheet")
    degradation = parse_degradation(arguments.damage, _parameters(arguments))
    jobs = [
        DegradingJob(name, source, target, degradation, arguments.seed)
        for name, (source, target) in plan(
            arguments.input, arguments.output, arguments.template
        ).items()
    ]
    run = _run_folder if arguments.input.is_dir() else _run_image
    return run(jobs, degradation, arguments)


def _run_preview(arguments: argparse.Namespace) -> list[str]:
    if arguments.output is not None:
        raise InputError(f"--preview writes nothing else: leave out {arguments.output}")
    write_preview(
        arguments.preview,
        arguments.input,
        arguments.damage,
        _parameters(arguments),
        seed=arguments.seed,
    )
    say(str(arguments.preview))
    return []


def _run_image(
    jobs: Sequence[DegradingJob], degradation: Degradation, arguments: argparse.Namespace
) -> list[str]:
    del degradation, arguments
    for job in jobs:
        try:
            degrade_file(job)
        except (UserError, OSError) as error:
            return [message_of(error)]
        say(str(job.target))
    return []


def _run_folder(
    jobs: Sequence[DegradingJob], degradation: Degradation, arguments: argparse.Namespace
) -> list[str]:
    fixed = {"seed": arguments.seed, "template": arguments.template}
    parameters = {**degradation.record(), **fixed}
    manifest = PatchManifest(arguments.output, parameters, may_hold_others=True)
    if manifest.note:
        say(f"note: {manifest.note}")
    pending = [job for job in jobs if not manifest.is_done(job, _is_file)]
    manifest.write()
    problems, progress = [], Progress()
    try:
        workers = min(arguments.workers, max(1, len(pending)))
        for job, result in run_jobs(degrade_file, pending, workers):
            if isinstance(result, Exception):
                problems.append(message_of(result))
            else:
                manifest.add(job.name, result)
            progress(f"{len(manifest.images)} of {len(jobs)} images")
    finally:
        manifest.write()
    say(f"{len(jobs) - len(problems)} images in {arguments.output}")
    return problems


def _is_file(folder: Path, name: str) -> bool:
    return patch_path(folder, name).is_file()


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(arguments, name) for name in _SHORTCUTS}
    given = {name: value for name, value in given.items() if value is not None}
    for text in arguments.set:
        name, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--set takes NAME=VALUE, received {text!r}")
        given[name] = parse_value(value)
    return given


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    damages = "\n".join(f"  {name:<18} {_explain(name)}" for name in DAMAGES)
    parser = argparse.ArgumentParser(
        description="Write degraded versions of clean images as PNG. Run again to continue.",
        epilog=f"damages and their parameters:\n{damages}\n\n"
        "Instead of a number, a range [low, high] or {list: [values]}: each image draws its own.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, help="image or folder")
    parser.add_argument(
        "output", type=Path, nargs="?", help="PNG file or folder; existing ones are replaced"
    )
    parser.add_argument("--damage", type=_damage, metavar="NAME", help="see below")
    parser.add_argument("--task", type=_damage, metavar="NAME", help="former name of --damage")
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="FILE",
        help="write a contact sheet of the damage from weak to strong (PNG or JPEG) instead",
    )
    parser.add_argument("--sigma", type=float, help="noise standard deviation, 0-255 scale")
    parser.add_argument("--scale", type=int, help="scale of bicubic, 2 or more")
    parser.add_argument("--quality", type=int, help="quality of jpeg, 1 to 100")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="any parameter of the damage"
    )
    parser.add_argument(
        "--template",
        default="{}",
        help="name of a result, with {} for its image's name (default: {})",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--workers", type=int, default=default_workers(), help="processes (default: all cores)"
    )
    arguments = parser.parse_args(argv)
    _take_former_name(parser, arguments)
    return arguments


def _explain(name: str) -> str:
    """Explain a damage, which tasks repair it, and its parameters."""
    repairing = ", ".join(task.name for task in TASKS.values() if name in task.damages)
    parameters = ", ".join(DAMAGES[name].parameters)
    return f"{DAMAGES[name].help} ({parameters}); repaired by {repairing}"


def _damage(text: str) -> str:
    """The name of a damage; a former one is told."""
    damage = find_damage(text)
    if damage is None:
        near = did_you_mean(text, DAMAGES)
        raise argparse.ArgumentTypeError(f"{text!r}: allowed: {', '.join(DAMAGES)}{near}")
    if text != damage.name:
        sys.stderr.write(f"note: damage {text!r} is now called {damage.name!r}; both are read\n")
    return damage.name


def _take_former_name(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.task is not None:
        if arguments.damage not in (None, arguments.task):
            parser.error(f"--damage {arguments.damage} and --task {arguments.task} differ")
        arguments.damage = arguments.task
        sys.stderr.write("--task is now called --damage; both are read\n")
    if arguments.damage is None:
        parser.error("--damage is needed")


if __name__ == "__main__":
    sys.exit(main())
