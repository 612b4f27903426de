"""A training whose losses stop being finite ends with one message, and good weights on disk."""

from __future__ import annotations

import torch

from semanir_arch.commands.train import main
from semanir_arch.utils.checkpoint import load_checkpoint
from semanir_arch.utils.command_line import Exit


def test_a_diverging_training_names_iteration_and_files_and_keeps_finite_weights(work, capsys):
    changes = [
        "train:total_iter=9",
        "train:optim_g={type: SGD, lr: 100}",
        "train:pixel_opt:loss_weight=1e6",
        "train:max_nonfinite=2",
        "datasets:train:batch_size_per_gpu=2",
    ]
    assert main(["-opt", "train.yml", "--force_yml", *changes]) == Exit.REFUSED
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: iteration 4: ")
    assert all(name in error for name in ("a.png", "b.png", "2 steps were skipped already"))
    saved = sorted((work / "experiments" / "run" / "models").glob("net_g_*.pth"))
    assert [file.name for file in saved] == [f"net_g_{i}.pth" for i in (1, 2, 3)]
    for file in saved:
        assert all(torch.isfinite(value).all() for value in load_checkpoint(file).params.values())
