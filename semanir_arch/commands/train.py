"""Train from an option file."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semanir_arch.runs import arguments as flags
from semanir_arch.runs.failures import refuse, supervised
from semanir_arch.runs.prepare import prepare_run
from semanir_arch.runs.run import Run
from semanir_arch.training.profile import Profile, ProfileFinished
from semanir_arch.training.progress_line import ProgressLine
from semanir_arch.training.states import is_complete, list_states
from semanir_arch.training.tensorboard import TensorBoardPictures
from semanir_arch.training.trainer import Training
from semanir_arch.utils import processes
from semanir_arch.utils.command_line import Parser, run_guarded, spell_command

__all__ = ["build_parser", "explain_stop", "main"]

_SIGNALLED = 128


def build_parser() -> Parser:
    """The arguments of a training."""
    return flags.build_parser("Train a restoration network.")


@supervised
def main(argv: Sequence[str]) -> int:
    """Run a training; what it writes is below experiments/ and tb_logger/.

    Args:
        argv: Command line without the name of the script.

    Returns:
        Exit code: 0 when finished, 2 when something given cannot be used or nothing can be saved,
        130 after Ctrl-C and 143 after SIGTERM, with the state saved.
    """
    arguments = build_parser().parse_args(argv)

    def work() -> int:
        name = ""
        try:
            run = prepare_run(arguments, is_train=True)
            name = run.name
            if arguments.profile:
                return _profile(run, arguments.profile)
            stopped = Training(run, [ProgressLine(), TensorBoardPictures()]).train()
        except KeyboardInterrupt:
            stopped = signal.SIGINT
        return 0 if stopped is None else explain_stop(argv, name, stopped)

    return run_guarded("train", work, tell=refuse)


def explain_stop(argv: Sequence[str], name: str, received: signal.Signals) -> int:
    """Say how to continue after a signal; of several processes, the first says it.

    Args:
        argv: Arguments of train.py.
        name: Name of the run.
        received: The signal.

    Returns:
        The exit code that shells give a process that the signal ended.
    """
    experiment = Path.cwd() / "experiments" / name
    saved = next((n for n in list_states(experiment) if is_complete(experiment, n)), None)
    command = spell_command(argv)
    if processes.started_by_torchrun(os.environ):
        # What torchrun was told is not known here.
        command = shlex.join(["torchrun", "...", sys.argv[0], *argv])
    if saved is None:
        message = f"Interrupted before a state was saved. Start again with: {command}"
    else:
        flag = "" if "--auto_resume" in argv else " --auto_resume"
        message = f"Interrupted; iteration {saved} is saved. Continue with: {command}{flag}"
    if os.environ.get("RANK", "0") == "0":
        sys.stderr.write(f"\n{message}\n")
    return _SIGNALLED + received


def _profile(run: Run, iterations: int) -> int:
    """Train for a moment in a folder that is then deleted, and print the table."""
    with tempfile.TemporaryDirectory(prefix="semanir_profile_") as folder:
        try:
            Training(replace(run, root=Path(folder)), [Profile(iterations)]).train()
        except ProfileFinished as finished:
            sys.stdout.write(str(finished))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
