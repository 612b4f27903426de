"""One optimizer step: what it computes, in which precision, and when it is not taken."""

from __future__ import annotations

import copy
import functools
import math
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

import semanir_arch.plugin  # noqa: F401 - registers the networks
from semanir_arch import host
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.modules.key_count import draw_k
from semanir_arch.modules.stage import KeySemanticLayer
from semanir_arch.runs import run
from semanir_arch.utils.errors import NonFiniteError
from tests.processes import joined, needs_fork, run_processes

BATCH = 5
FILES = [f"/x/{index}.png" for index in range(BATCH)]


@host.load("basicsr.utils.registry").ARCH_REGISTRY.register()
class NormalisedNet(nn.Sequential):
    """A network whose forward pass changes it: batch normalization keeps statistics."""

    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))


@pytest.fixture
def options(options):
    """Plain gradient descent: what one step changes is the rate times the gradient."""
    options["train"]["optim_g"] = {"type": "SGD", "lr": 0.1}
    options["train"]["ema_decay"] = 0
    return options


def build(options):
    torch.manual_seed(0)
    return RestorationModel(copy.deepcopy(options))


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    gt = torch.rand(BATCH, 3, 8, 8, generator=generator)
    return {"lq": gt + 0.1 * torch.randn(gt.shape, generator=generator), "gt": gt, "lq_path": FILES}


def step(model, iteration=1, **changes):
    model.feed_data(batch(iteration) | changes)
    model.update_learning_rate(iteration)
    model.optimize_parameters(iteration)
    return model.get_current_log()


def weights(model):
    return copy.deepcopy(model.net_g.state_dict())


def gradients(model, iteration=1):
    """Gradients of the mean absolute error, computed here."""
    network, data = copy.deepcopy(model.net_g), batch(iteration)
    nn.functional.l1_loss(network(data["lq"]), data["gt"]).backward()
    return [parameter.grad for parameter in network.parameters()]


def bad_batch():
    lq = batch()["lq"]
    lq[3, 0, 2, 2] = math.nan
    return {"lq": lq}


@contextmanager
def gradient_of(model, value):
    """Let one gradient become a value, whatever the loss is."""
    parameter = next(model.net_g.parameters())
    hook = parameter.register_hook(lambda gradient: torch.full_like(gradient, value))
    yield
    hook.remove()


def test_a_step_follows_the_gradient_of_the_loss(options):
    model = build(options)
    before, expected = list(model.net_g.parameters()), gradients(model)
    before = [parameter.detach().clone() for parameter in before]
    log = step(model)
    for old, new, gradient in zip(before, model.net_g.parameters(), expected, strict=True):
        torch.testing.assert_close(new.detach(), old - 0.1 * gradient)
    norm = math.sqrt(sum(float(gradient.double().square().sum()) for gradient in expected))
    assert log.keys() == {"l_pix", "grad_norm"}
    assert log["grad_norm"] == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize(("parts", "reduction"), [(2, "mean"), (3, "sum"), (8, "mean")])
def test_a_batch_in_parts_makes_the_same_step(options, parts, reduction):
    """The parts of 5 images are of unequal size; 8 parts are 5."""
    options["train"]["pixel_opt"]["reduction"] = reduction
    options["train"]["optim_g"]["lr"] = 0.1 if reduction == "mean" else 1e-4
    whole = build(options)
    options["train"]["accumulate"] = parts
    divided = build(options)
    sizes = []
    divided.net_g.register_forward_pre_hook(lambda _, images: sizes.append(len(images[0])))
    for iteration in (1, 2, 3):
        expected = step(whole, iteration)
        assert step(divided, iteration) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(weights(divided), weights(whole), rtol=1e-5, atol=1e-6)
    assert sizes == {2: [3, 2], 3: [2, 2, 1], 8: [1] * 5}[parts] * 3


def test_phases_are_told_apart(options):
    options["train"]["accumulate"] = 2
    model = build(options)
    seen = []

    @contextmanager
    def phase(name):
        seen.append(name)
        yield

    model.phase = phase
    step(model)
    assert seen == ["forward", "backward", "forward", "backward", "step"]


@pytest.mark.parametrize("limit", [0.01, 1e6])
def test_the_gradient_is_clipped_by_its_whole_norm(options, limit):
    options["train"]["clip_grad_norm"] = limit
    model = build(options)
    before, expected = weights(model), gradients(model)
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in expected))
    assert step(model)["grad_norm"] == pytest.approx(norm, rel=1e-5)
    change = [before[name] - value for name, value in model.net_g.named_parameters()]
    size = math.sqrt(sum(float(part.detach().square().sum()) for part in change))
    assert size == pytest.approx(0.1 * min(limit, norm), rel=1e-3)


def test_losses_are_summed_and_logged_by_name(options):
    options["train"]["losses"] = {
        "l_freq": {"type": "FFTLoss", "loss_weight": 0.05},
        "l_psnr": {"type": "PSNRLoss", "loss_weight": 0.01},
    }
    model = build(options)
    data = batch(1)
    with torch.no_grad():
        error = model.net_g(data["lq"]) - data["gt"]
    spectrum = torch.view_as_real(torch.fft.rfft2(error)).abs().mean()
    psnr = 10 * error.square().mean(dim=(1, 2, 3)).log10().mean()
    log = step(model)
    assert log["l_pix"] == pytest.approx(error.abs().mean().item())
    assert log["l_freq"] == pytest.approx(0.05 * spectrum.item(), rel=1e-5)
    assert log["l_psnr"] == pytest.approx(0.01 * psnr.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"pixel_opt": None}, "no loss; give pixel_opt"),
        ({"losses": {"freq": {"type": "FFTLoss"}}}, "received the name 'freq'; allowed: names"),
        ({"losses": {"l_pix": {"type": "FFTLoss"}}}, "received the name 'l_pix'"),
        ({"accumulate": 0}, "accumulate: received 0; at least 1"),
        ({"max_nonfinite": -1}, "max_nonfinite: received -1; at least 0"),
        ({"clip_grad_norm": 0}, "clip_grad_norm: received 0; must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, train, message):
    options["train"] |= train
    with pytest.raises(ValueError, match=message):
        build(options)


def test_bf16_computes_in_half_precision_and_keeps_everything_else_in_float32(options):
    options["precision"] = "bf16"
    model = build(options)
    types = []
    for module in model.net_g.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _module, _inputs, out: types.append(out.dtype))
    exact = build(options | {"precision": "fp32"})
    log, expected = step(model), step(exact)
    assert set(types) == {torch.bfloat16}
    assert all(parameter.dtype == torch.float32 for parameter in model.net_g.parameters())
    assert log["l_pix"] == pytest.approx(expected["l_pix"], rel=2e-2)
    assert log["l_pix"] != expected["l_pix"]


def test_the_loss_is_computed_in_float32(options):
    options["precision"] = "bf16"
    model = build(options)
    outputs = []
    model.net_g.register_forward_hook(lambda _module, _inputs, out: outputs.append(out.detach()))
    log = step(model)
    assert log["l_pix"] == (outputs[0].float() - batch(1)["gt"]).abs().mean().item()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp16"}, "received 'fp16', which needs a GPU; allowed here: fp32, bf16"),
        ({"precision": "half"}, "received 'half'; allowed: fp32, bf16, fp16"),
        ({"precision": "bf16", "num_gpu": 2}, "bf16.*on 2 GPUs this needs one process per GPU"),
    ],
)
def test_a_precision_that_is_not_possible_is_refused(options, changes, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    with pytest.raises(ValueError, match=message):
        build(options | changes)


def scaled(options, scale):
    """A model as in fp16, whose gradients are multiplied by `scale`."""
    model = build(options)
    model._scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return model


def test_scaled_gradients_make_the_same_step(options):
    plain, model = build(options), scaled(options, 2.0**16)
    assert step(model) == pytest.approx(step(plain), rel=1e-6)
    torch.testing.assert_close(weights(model), weights(plain))


def test_an_overflow_of_scaled_gradients_lowers_the_scale_and_is_no_fault(options):
    options["train"]["max_nonfinite"] = 0
    model = scaled(options, 2.0**16)
    before = weights(model)
    with gradient_of(model, math.inf):
        for iteration in range(1, 17):
            step(model, iteration)
            assert model._scaler.get_scale() == 2.0 ** (16 - iteration)
        torch.testing.assert_close(weights(model), before, rtol=0, atol=0)
        assert model.training_state()["skipped"] == 0
        with pytest.raises(NonFiniteError, match="iteration 17: grad_norm is"):
            step(model, 17)


def test_checkpointing_recomputes_and_gives_the_same_gradient(options):
    plain = build(options)
    options["train"]["checkpointing"] = True
    model = build(options)
    calls = []
    for module in model.net_g.modules():
        if isinstance(module, KeySemanticLayer):
            module.register_forward_pre_hook(lambda *_: calls.append(1))
    layers = sum(isinstance(module, KeySemanticLayer) for module in model.net_g.modules())
    assert step(model) == step(plain)
    assert len(calls) == 2 * layers
    torch.testing.assert_close(weights(model), weights(plain), rtol=0, atol=0)


def test_checkpointing_of_a_network_that_cannot_is_refused(options):
    options["network_g"] = {"type": "NormalisedNet"}
    options["train"]["checkpointing"] = True
    with pytest.raises(ValueError, match="NormalisedNet has no module that can recompute"):
        build(options)


def test_compiling_changes_neither_the_step_nor_the_names_nor_the_evaluation(options, monkeypatch):
    options["train"]["ema_decay"] = 0.5
    plain = build(options)
    traced = []

    def backend(graph, _inputs):
        traced.append(graph)
        return graph.forward

    # Generating code takes a compiler and a minute; tracing the network is what may fail.
    calls, compiler = [], functools.partial(torch.compile, backend=backend)
    monkeypatch.setattr(torch, "compile", lambda *a, **k: calls.append(k) or compiler(*a, **k))
    options["train"]["compile"] = True
    model = build(options)
    assert calls == [{"dynamic": False}]
    assert step(model) == pytest.approx(step(plain), rel=1e-6)
    assert len(traced) == 1
    torch.testing.assert_close(weights(model), weights(plain))
    torch.testing.assert_close(model.net_g_ema.state_dict(), plain.net_g_ema.state_dict())
    model.feed_data({"lq": torch.rand(1, 3, 12, 16)})
    model.test()
    assert len(traced) == 1


def test_channels_last_makes_the_same_step(options):
    plain = build(options)
    options["train"]["channels_last"] = True
    model = build(options)
    formats = []
    model.net_g.register_forward_pre_hook(
        lambda _, images: formats.append(images[0].is_contiguous(memory_format=torch.channels_last))
    )
    assert step(model) == pytest.approx(step(plain), rel=1e-5)
    assert formats == [True]
    torch.testing.assert_close(weights(model), weights(plain), rtol=1e-4, atol=1e-6)
    weight = next(p for p in model.net_g.parameters() if p.dim() == 4 and p.shape[-1] > 1)
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_gets_blended_images(options):
    options["train"]["mixing_augs"] = {"mixup": True, "use_identity": False}
    model = build(options)
    seen = []
    model.net_g.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    step(model)
    assert not torch.equal(seen[0], batch(1)["lq"])
    torch.testing.assert_close(seen[0].sum(), batch(1)["lq"].sum())


def test_the_number_of_keys_is_drawn_in_every_iteration(options):
    options["train"]["k"] = [2, 4, 8]
    model = build(options)
    kept = []
    model.net_g.register_forward_pre_hook(lambda network, _: kept.append(network.k))
    for iteration in range(1, 9):
        step(model, iteration)
    assert kept == [draw_k([2, 4, 8], options["manual_seed"], i) for i in range(1, 9)]
    assert len(set(kept)) > 1


def test_the_average_follows_with_warm_up(options):
    options["train"] |= {"ema_decay": 0.999, "ema_warmup": True}
    model = build(options)
    first = weights(model)
    step(model, iteration=1)
    decay = 2 / 11
    expected = {
        name: decay * first[name] + (1 - decay) * now for name, now in weights(model).items()
    }
    torch.testing.assert_close(dict(model.net_g_ema.state_dict()), expected)


@pytest.mark.parametrize("network", ["own", "NormalisedNet"])
def test_a_step_that_is_not_finite_leaves_everything_as_it_was(options, network, caplog):
    options["train"] |= {"optim_g": {"type": "AdamW", "lr": 1e-2}, "ema_decay": 0.9}
    if network != "own":
        options["network_g"] = {"type": network}
    model = build(options)
    step(model)
    before = copy.deepcopy([model.net_g.state_dict(), model.net_g_ema.state_dict()])
    optimizer = copy.deepcopy(model.optimizer_g.state_dict()["state"])
    logger = host.load("basicsr.utils").get_root_logger()
    logger.addHandler(caplog.handler)
    log = step(model, 2, **bad_batch())
    logger.removeHandler(caplog.handler)
    assert math.isnan(log["l_pix"])
    # Once here, and once more where BasicSR has not set up its logger yet.
    assert set(caplog.messages) == {
        "iteration 2: l_pix is nan, grad_norm is nan; files of the batch: "
        f"{', '.join(FILES)}. Step skipped (1 of at most 10)."
    }
    after = [model.net_g.state_dict(), model.net_g_ema.state_dict()]
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    torch.testing.assert_close(model.optimizer_g.state_dict()["state"], optimizer, rtol=0, atol=0)
    assert math.isfinite(step(model, 3)["grad_norm"])


def test_a_gradient_that_is_not_finite_is_noticed_behind_a_finite_loss(options):
    model = build(options)
    before = weights(model)
    with gradient_of(model, math.nan):
        log = step(model)
    assert math.isfinite(log["l_pix"])
    torch.testing.assert_close(weights(model), before, rtol=0, atol=0)
    assert model.training_state()["skipped"] == 1


def test_after_too_many_skipped_steps_the_training_stops(options):
    options["train"]["max_nonfinite"] = 2
    model = build(options)
    before = weights(model)
    step(model, 1, **bad_batch())
    resumed = build(options)
    resumed.load_training_state(model.training_state())
    step(resumed, 2, **bad_batch())
    message = r"iteration 7: l_pix is nan.*/x/3\.png.*2 steps were skipped already"
    with pytest.raises(NonFiniteError, match=message):
        step(resumed, 7, **bad_batch())
    torch.testing.assert_close(weights(resumed), before, rtol=0, atol=0)


def train_together(rank, options, iterations, bad):
    """Weights and messages of one of several processes; `bad` is where and when a batch is bad."""
    torch.manual_seed(0)
    options = copy.deepcopy(options) | {"dist": True, "rank": rank}
    base = host.load("basicsr.models.base_model").BaseModel
    with ExitStack() as stack:
        run._wrap(stack, base, "model_to_device", run._distribute)
        model = RestorationModel(options)
        logs, errors, exchanges = [], [], []

        def exchange(_, bucket):
            exchanges.append(len(logs))
            return allreduce_hook(None, bucket)

        model.net_g.register_comm_hook(None, exchange)
        for iteration in range(1, iterations + 1):
            data = batch(10 * iteration + rank)
            data["lq_path"] = [f"rank{rank}.png"]
            if (rank, iteration) == bad:
                data |= bad_batch()
            model.update_learning_rate(iteration)
            model.feed_data(data)
            try:
                model.optimize_parameters(iteration)
            except NonFiniteError as error:
                errors.append(str(error))
            logs.append(model.get_current_log())
        # Tensors would be handed over by a process that has ended by then.
        state = model.get_bare_model(model.net_g).state_dict()
        weights = {name: value.numpy() for name, value in state.items()}
        return weights, logs, errors, exchanges


@needs_fork
def test_processes_agree_on_what_is_skipped(options):
    options["train"] |= {"max_nonfinite": 0, "accumulate": 2}
    first, second = run_processes(2, joined, train_together, options, 3, (1, 2))
    assert all(np.array_equal(first[0][name], second[0][name]) for name in first[0])
    _, logs, errors, _ = first
    assert (logs[0], logs[2], errors) == (second[1][0], second[1][2], second[2])
    assert len(errors) == 1
    assert "iteration 2: l_pix is nan" in errors[0]
    assert "rank0.png, rank1.png" in errors[0]


@needs_fork
def test_two_processes_in_parts_make_the_step_of_one_with_both_batches(options):
    options["train"]["accumulate"] = 2
    results = run_processes(2, joined, train_together, options, 2, None)
    del options["train"]["accumulate"]
    alone = build(options)
    for iteration in (1, 2):
        pair = [batch(10 * iteration + rank) for rank in (0, 1)]
        both = {key: torch.cat([data[key] for data in pair]) for key in ("lq", "gt")}
        log = step(alone, iteration, **both)
        assert results[0][1][iteration - 1] == pytest.approx(log, rel=1e-4)
    for shared, _, _, exchanges in results:
        # Once per step, although each has two backward passes.
        assert exchanges == [0, 1]
        for name, value in weights(alone).items():
            np.testing.assert_allclose(shared[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_on_a_gpu_learns_as_float32_does(options, precision):
    options |= {"num_gpu": 1}
    exact, model = build(options), build(options | {"precision": precision})
    for iteration in range(1, 31):
        expected, log = step(exact, iteration), step(model, iteration)
    assert log["l_pix"] == pytest.approx(expected["l_pix"], rel=0.05)
    assert model.training_state()["skipped"] == 0
    assert model._scaler.get_scale() >= 1
