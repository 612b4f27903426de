"""What TensorBoard gets besides BasicSR's scalars."""

from __future__ import annotations

import sys
from collections import OrderedDict
from types import ModuleType

import numpy as np
import pytest
import torch.utils.tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from semanir_arch.metrics.scores import Example
from semanir_arch.training.tensorboard import TensorBoardPictures, lay_out, open_tensorboard
from tests.helpers import make_image
from tests.training.watching import facts


@pytest.fixture
def options(tmp_path):
    return {
        "name": "run",
        "root_path": str(tmp_path),
        "path": OrderedDict(experiments_root=str(tmp_path)),
        "logger": {"use_tb_logger": True},
    }


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_options_and_images_are_written(options, tmp_path):
    pictures, writer = TensorBoardPictures(), open_tensorboard(options, done=0)
    training = facts(options, total_iter=10, writer=writer)
    pictures.started(training)
    parts = {name: make_image((10, 12, 3), seed=seed) for seed, name in enumerate("io")}
    training.model.examples["set"] = Example("a", {"input": parts["i"], "output": parts["o"]})
    pictures.validated(5, "set")
    pictures.validated(5, "a set without images")
    writer.close()
    events = read(tmp_path / "tb_logger" / "run")
    assert events.Tags()["images"] == ["images/set/a"]
    (image,) = events.Images("images/set/a")
    assert (image.step, image.height, image.width) == (5, 10, 12 + 4 + 12)
    (text,) = events.Tensors("options/text_summary")
    assert "    use_tb_logger: true\n" in text.tensor_proto.string_val[0].decode()


def test_without_a_writer_nothing_is_written(options, tmp_path):
    options["logger"]["use_tb_logger"] = False
    assert open_tensorboard(options, done=0) is None
    options |= {"name": "debug_run", "logger": {"use_tb_logger": True}}
    assert open_tensorboard(options, done=0) is None
    pictures = TensorBoardPictures()
    pictures.started(facts(options, total_iter=10))
    pictures.validated(5, "set")
    assert not list(tmp_path.iterdir())


def test_numbers_after_the_state_that_continues_are_replaced(options, tmp_path):
    for done, steps in ((0, range(1, 7)), (4, range(5, 9))):
        writer = open_tensorboard(options, done)
        for step in steps:
            writer.add_scalar("losses/l_pix", 10 * done + step, step)
        writer.close()
    scalars = read(tmp_path / "tb_logger" / "run").Scalars("losses/l_pix")
    assert [(s.step, s.value) for s in scalars] == [
        *((step, step) for step in range(1, 5)),
        *((step, 40 + step) for step in range(5, 9)),
    ]


def test_parts_of_different_size_and_colour_lie_side_by_side():
    small, large = make_image((3, 4, 1)), make_image((6, 8, 3), seed=1)
    panel = lay_out(Example("a", {"input": small, "output": large, "target": large}))
    assert panel.shape == (6, 3 * 8 + 2 * 4, 3)
    enlarged = small.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(panel[:, :8], np.repeat(enlarged, 3, axis=2))
    np.testing.assert_array_equal(panel[:, 12:20], large)
    assert (panel[:, 20:24] == 255).all()


def test_large_images_show_their_middle():
    image = make_image((500, 400, 3))
    panel = lay_out(Example("a", {"output": image}))
    np.testing.assert_array_equal(panel, image[58 : 58 + 384, 8 : 8 + 384])


@pytest.fixture
def wandb(monkeypatch):
    """A package wandb that notes what is called."""
    calls, module = [], ModuleType("wandb")
    module.init = lambda **arguments: calls.append(("init", arguments))
    monkeypatch.setitem(sys.modules, "wandb", module)
    writer = torch.utils.tensorboard.SummaryWriter
    monkeypatch.setattr(
        torch.utils.tensorboard,
        "SummaryWriter",
        lambda *args, **kwargs: calls.append(("writer", {})) or writer(*args, **kwargs),
    )
    return calls


def test_wandb_begins_before_the_writer_and_continues_its_run(options, wandb):
    """As BasicSR #358 asks; BasicSR itself begins a new run after every resume."""
    options["logger"]["wandb"] = {"project": "p", "resume_id": None}
    for done in (0, 5):
        open_tensorboard(options, done).close()
    assert [name for name, _ in wandb] == ["init", "writer", "init", "writer"]
    first, second = wandb[0][1], wandb[2][1]
    assert first == second
    assert (first["project"], first["resume"], first["sync_tensorboard"]) == ("p", "allow", True)
    options["logger"]["wandb"]["resume_id"] = "mine"
    open_tensorboard(options, 5).close()
    assert wandb[4][1]["id"] == "mine"


def test_what_wandb_needs_is_told(options, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    options["logger"]["wandb"] = {"project": "p"}
    with pytest.raises(ValueError, match="pip install wandb"):
        open_tensorboard(options, done=0)
    options["logger"]["use_tb_logger"] = False
    with pytest.raises(ValueError, match="use_tb_logger: true"):
        open_tensorboard(options, done=0)
