"""Which device computes, on machines that torch only seems to run on."""

from __future__ import annotations

import pytest
import torch

from semanir_arch import registration
from semanir_arch.commands import doctor
from semanir_arch.commands.train import main as train
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.ops import backend
from semanir_arch.report.provenance import describe_computer
from semanir_arch.restoring.loading import choose_device
from semanir_arch.runs import arithmetic
from semanir_arch.runs.run import Run
from semanir_arch.utils import devices, memory
from tests.helpers import TINY_UNET
from tests.small_runs import COMMON, work  # noqa: F401 - fixture


@pytest.mark.parametrize(
    ("kind", "present", "usable"), [("cuda", 4, 4), ("xpu", 4, 1), ("mps", 1, 1)]
)
def test_the_accelerator_of_the_machine_is_used_unless_the_cpu_is_asked_for(
    accelerators, kind, present, usable
):
    accelerators.has(kind, present)
    assert devices.accelerator() == kind
    assert devices.count() == usable
    assert [devices.device_of_run(wanted) for wanted in (0, 1, "auto", None)] == [
        "cpu",
        *3 * [kind],
    ]
    assert choose_device("auto") == torch.device(kind)
    assert arithmetic.observe({"network_g": TINY_UNET}).device == kind
    assert arithmetic.observe({"network_g": TINY_UNET, "num_gpu": 0}).device == "cpu"
    assert describe_computer(kind)["device"] == {"mps": "mps"}.get(kind, devices.name_of(kind))
    assert backend.report().keys() == backend.report("cpu").keys()


def test_an_accelerator_that_does_not_work_is_none(accelerators):
    """As a PyTorch for CUDA on a machine without a driver."""
    accelerators.has("cuda", works=False)
    assert (devices.accelerator(), devices.count(), devices.is_in_use()) == (None, 0, False)
    assert devices.device_of_run("auto") == "cpu"
    assert choose_device("auto") == torch.device("cpu")
    devices.seed(7)
    devices.synchronize()
    assert [
        call for call in accelerators.calls if call[0] in ("manual_seed_all", "synchronize")
    ] == []


@pytest.mark.parametrize(("kind", "seeded"), [("xpu", "manual_seed_all"), ("mps", "manual_seed")])
def test_its_random_state_cache_and_queue_are_served(accelerators, kind, seeded):
    accelerators.has(kind)
    devices.seed(7)
    devices.synchronize()
    devices.empty_cache(torch.device(kind))
    assert {(seeded, 7), ("synchronize",), ("empty_cache",)} <= {*accelerators.calls}
    devices.empty_cache(torch.device("cpu"))
    assert accelerators.calls.count(("empty_cache",)) == 1


def test_memory_is_that_of_the_accelerator_where_it_has_its_own(accelerators):
    main_memory = memory.peak_memory()
    accelerators.has("xpu")
    assert memory.peak_memory() == 3 * 2**30
    accelerators.has("mps")
    assert memory.peak_memory() >= main_memory


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("cuda", "cuda:1: NVIDIA H100, 8.0 GiB, capability 9.0"),
        ("xpu", "xpu:1: Intel Arc, 8.0 GiB"),
        ("mps", "mps:1: mps"),
    ],
)
def test_the_doctor_lists_every_accelerator(accelerators, kind, line):
    accelerators.has(kind, 2)
    lines = [*doctor.describe_devices()]
    assert lines[2:] == [line]
    accelerators.has(kind, works=False)
    assert "; everything runs on the CPU" in [*doctor.describe_devices()][1]


def test_a_run_computes_where_the_options_say(accelerators, tmp_path):
    # a device that computes nothing, but holds a network
    accelerators.has("meta")
    registration.register()
    common = COMMON | {"datasets": {}, "path": {"pretrain_network_g": None}}
    for wanted, kind in (("auto", "meta"), (1, "meta"), (0, "cpu")):
        options = common | {"num_gpu": wanted}
        with Run(tmp_path, "run.yml", options).opened(is_train=False) as parsed:
            assert parsed["num_gpu"] == (0 if kind == "cpu" else 1)
            model = RestorationModel(parsed)
            assert model.device == torch.device(kind)
            assert {weight.device.type for weight in model.net_g.parameters()} == {kind}


@pytest.mark.usefixtures("work")
def test_nothing_of_a_training_insists_on_cuda(accelerators):
    """The CPU plays the accelerator: everything on the way that asks for CUDA would fail."""
    accelerators.has("cpu")
    text = ["num_gpu=auto", "datasets:train:prefetch_mode=cuda", "datasets:train:pin_memory=true"]
    assert train(["-opt", "train.yml", "--force_yml", *text]) == 0


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("number", "by_torchrun", "message"),
    [
        (2, False, "num_gpu: received 2, but torch finds 1 here; allowed: 0 to 1, auto"),
        ("auto", True, "num_gpu: received auto, but several processes cannot share xpu"),
    ],
)
def test_what_only_cuda_can_do_is_refused_elsewhere(
    accelerators, monkeypatch, capsys, number, by_torchrun, message
):
    accelerators.has("xpu", 4)
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR") if by_torchrun else ():
        monkeypatch.setenv(name, "0")
    assert train(["-opt", "train.yml", "--force_yml", f"num_gpu={number}"]) == 2
    assert message in capsys.readouterr().err
