from __future__ import annotations

import numpy as np
import pytest
import torch

import semanir_arch
from semanir_arch.restoring.restorer import Restorer, restore
from semanir_arch.utils.checkpoint import save_checkpoint
from semanir_arch.weights import TASKS, ShippedWeights, find
from tests.each import each
from tests.helpers import TINY_SR, TINY_UNET, make_image, make_visible, save_weights
from tests.restoring.networks import save_plain

SHAPES = [(1, 1), (1, 1, 3), (5, 3, 1), (9, 13, 2), (9, 13, 3), (4, 8, 4), (17, 2, 4)]


@pytest.fixture(params=[1, 3], ids=["gray network", "color network"])
def identity(request, tmp_path):
    weights = tmp_path / "identity.pth"
    save_weights(weights, TINY_UNET | {"in_chans": request.param}, identity=True)
    return Restorer(weights, device="cpu")


@pytest.fixture
def color_weights(tmp_path):
    weights = tmp_path / "color.pth"
    save_weights(weights, TINY_UNET)
    return weights


@each("shape", SHAPES)
@each("dtype", [np.uint8, np.uint16, np.float32])
def test_a_network_that_changes_nothing_gives_the_image_back(identity, shape, dtype):
    image = make_visible(shape, dtype)
    restored = identity.restore(image)
    assert restored.dtype == image.dtype
    np.testing.assert_allclose(restored, image, rtol=0, atol=1e-6 if dtype == np.float32 else 0)


@each("in_chans", [1, 3])
@each("shape", SHAPES)
def test_super_resolution_enlarges_every_layout(tmp_path, in_chans, shape):
    save_weights(tmp_path / "sr.pth", TINY_SR | {"in_chans": in_chans})
    restorer = Restorer(tmp_path / "sr.pth", device="cpu")
    restored = restorer.restore(make_image(shape))
    assert restorer.upscale == 2
    assert restored.shape == (2 * shape[0], 2 * shape[1], *shape[2:])
    assert restored.dtype == np.uint8


def test_the_result_is_the_networks_output(tmp_path):
    network = save_weights(tmp_path / "net.pth", TINY_UNET)
    image = make_image((6, 10, 3), np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    restored = restore(image, tmp_path / "net.pth", device="cpu")
    np.testing.assert_allclose(restored, expected.clamp(0, 1).numpy(), rtol=0, atol=1e-6)


def test_gray_through_a_color_network_is_the_mean_of_equal_channels(color_weights):
    gray = 0.4 + make_image((6, 10), np.float32) / 5  # nothing is clipped
    restorer = Restorer(color_weights, device="cpu")
    colored = restorer.restore(np.dstack([gray] * 3))
    np.testing.assert_allclose(restorer.restore(gray), colored.mean(axis=2), rtol=0, atol=1e-6)


def test_color_through_a_gray_network_is_restored_channel_by_channel(tmp_path):
    save_weights(tmp_path / "gray.pth", TINY_UNET | {"in_chans": 1})
    restorer = Restorer(tmp_path / "gray.pth", device="cpu")
    image = make_image((6, 10, 3), np.float32)
    channels = [restorer.restore(image[..., c]) for c in range(3)]
    np.testing.assert_allclose(restorer.restore(image), np.dstack(channels), rtol=0, atol=1e-6)


def test_bfloat16_stays_near_float32(color_weights):
    image = make_image((16, 16, 3), np.float32)
    exact = restore(image, color_weights, device="cpu")
    fast = restore(image, color_weights, device="cpu", precision="bf16")
    difference = np.abs(fast - exact).max()
    assert 0 < difference < 0.05


def test_k_and_backend_reach_the_network(color_weights):
    restorer = Restorer(color_weights, device="cpu", k=3, backend="naive")
    assert (restorer.network.k, restorer.network.backend) == (3, "naive")
    assert Restorer(color_weights, device="cpu").network.k == TINY_UNET["k"]


def test_no_gradient_is_recorded(color_weights):
    restorer = Restorer(color_weights, device="cpu")
    assert not restorer.network.training
    assert not any(p.requires_grad for p in restorer.network.parameters())


@each(
    "arguments, message",
    [
        ({"precision": "fp16"}, "precision='fp16'; allowed: auto, fp32, bf16"),
        ({"device": "tpu9"}, "device='tpu9' cannot be used here"),
        ({"device": "meta"}, "device='meta' cannot be used here"),
        ({"k": 0}, "k=0 must be at least 1"),
        ({"backend": "fast"}, "backend='fast'; allowed: auto, .*naive"),
        ({"tile": "large"}, "tile='large'; allowed: auto, None"),
        ({"device": None}, "device=None cannot be used here"),
        ({"tile": 0}, "tile must be 1 pixel or more, received 0"),
        ({"overlap": -1}, "overlap must be 0 or more"),
        ({"tile": 64, "overlap": -1}, "overlap must be 0 or more"),
        ({"tile": 64, "overlap": 64}, "less than the tile of 64 pixels, received 64"),
    ],
)
def test_arguments_that_are_not_allowed_are_refused(color_weights, arguments, message):
    with pytest.raises(ValueError, match=message):
        Restorer(color_weights, **arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@each("name", ["k", "tile", "overlap"])
@each("value", [2.5, True, (64, 64)])
def test_numbers_of_another_type_are_refused(color_weights, name, value):
    with pytest.raises(TypeError, match=f"{name}=.*; a whole number is needed"):
        Restorer(color_weights, **{name: value})


def test_numbers_of_numpy_are_numbers(color_weights, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Restorer, "_apply", fail)
    restorer = Restorer(color_weights, k=np.int64(3), tile=np.int64(16), overlap=np.int32(4))
    assert restorer.network.k == 3
    with pytest.raises(MemoryError, match="with tile 16;"):
        restorer.restore(make_image((40, 40, 3)), sigma=np.float32(5))


@pytest.mark.parametrize("name", ["sigma", "quality"])
def test_a_strength_that_is_no_number_is_refused(color_weights, name):
    with pytest.raises(TypeError, match=f"{name}='5': str; a number is needed"):
        Restorer(color_weights).restore(make_image((4, 4, 3)), **{name: "5"})


def test_a_gpu_that_is_not_there_is_refused(color_weights):
    with pytest.raises(ValueError, match="device='cuda' cannot be used here"):
        Restorer(color_weights, device="cuda")


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth"):
        Restorer(tmp_path / "nothing.pth")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"params": {"a": torch.ones(1)}}, "does not say which network"),
        ({"params": {"a": torch.ones(1)}, "network_g": {"type": "SemanIRUnet"}}, "SemanIRUNet"),
        ({"params": {"a": torch.ones(1)}, "network_g": TINY_UNET | {"depth": 3}}, "depths"),
        ({"params": {"a": torch.ones(1)}, "network_g": TINY_UNET | {"widths": ["x"]}}, "widths="),
        ({"params": {"a": torch.ones(1)}, "network_g": TINY_UNET}, "missing"),
        ({"params": {"a": torch.ones(1)}, "network_g": TINY_UNET | {"in_chans": 4}}, "4 channels"),
        ({"iter": 3}, "no weights"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_with_the_file(tmp_path, state, message):
    save_checkpoint(tmp_path / "net.pth", state)
    with pytest.raises(ValueError, match=r"net\.pth") as caught:
        Restorer(tmp_path / "net.pth", device="cpu")
    assert message in str(caught.value)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "net.pth").write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"net\.pth"):
        Restorer(tmp_path / "net.pth", device="cpu")


@pytest.mark.parametrize(
    "text",
    [
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
        "MPS backend out of memory",
    ],
)
def test_too_little_memory_is_said_with_size_and_remedy(color_weights, monkeypatch, text):
    restorer = Restorer(color_weights, device="cpu")

    def fail(_):
        raise RuntimeError(text)

    monkeypatch.setattr(restorer.network, "forward", fail)
    with pytest.raises(MemoryError, match="not enough memory on cpu to restore 5 x 4 pixels"):
        restorer.restore(make_image((4, 5, 3)))


def limit_memory(monkeypatch, restorer, largest):
    """Make the network fail on inputs with more than `largest` pixels; returns the sizes it got."""
    forward, sizes = restorer.network.forward, []

    def limited(x):
        sizes.append(tuple(x.shape[-2:]))
        if x.shape[-2] * x.shape[-1] > largest:
            raise RuntimeError("out of memory")
        return forward(x)

    monkeypatch.setattr(restorer.network, "forward", limited)
    return sizes


def test_large_images_are_cut_smaller_until_they_fit(tmp_path, monkeypatch):
    save_weights(tmp_path / "identity.pth", TINY_UNET, identity=True)
    restorer = Restorer(tmp_path / "identity.pth", device="cpu")
    monkeypatch.setattr("semanir_arch.utils.tile_policy.WHOLE_PIXELS", 300 * 300)
    sizes = limit_memory(monkeypatch, restorer, largest=256 * 256)
    image = make_image((300, 620, 3))
    np.testing.assert_array_equal(restorer.restore(image), image)
    assert sizes[0] == (300, 512)
    assert max(max(size) for size in sizes[1:]) == 256


def test_images_up_to_a_megapixel_are_restored_whole(tmp_path, monkeypatch):
    save_weights(tmp_path / "identity.pth", TINY_UNET, identity=True)
    restorer = Restorer(tmp_path / "identity.pth", device="cpu")
    sizes = limit_memory(monkeypatch, restorer, largest=2**30)
    restorer.restore(make_image((70, 600, 3)))
    assert sizes == [(70, 600)]


def test_tiles_of_super_resolution_fit_together(tmp_path, monkeypatch):
    save_weights(tmp_path / "sr.pth", TINY_SR)
    restorer = Restorer(tmp_path / "sr.pth", device="cpu", tile=32, overlap=8, margin=0)
    sizes = limit_memory(monkeypatch, restorer, largest=32 * 32)
    assert restorer.restore(make_image((40, 50, 4))).shape == (80, 100, 4)
    assert len(sizes) == 2 * 2


def test_a_tile_that_was_asked_for_is_kept(color_weights, monkeypatch):
    restorer = Restorer(color_weights, device="cpu", tile=256)
    limit_memory(monkeypatch, restorer, largest=1)
    with pytest.raises(MemoryError, match="with tile 256; choose a smaller tile"):
        restorer.restore(make_image((300, 300, 3)))


def test_other_failures_of_the_network_are_not_disguised(color_weights, monkeypatch):
    restorer = Restorer(color_weights, device="cpu")

    def fail(_):
        raise RuntimeError("a real defect")

    monkeypatch.setattr(restorer.network, "forward", fail)
    with pytest.raises(RuntimeError, match="a real defect"):
        restorer.restore(make_image((4, 5, 3)))


def test_output_that_is_not_finite_is_refused(color_weights):
    restorer = Restorer(color_weights, device="cpu")
    restorer.network.last.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="not finite"):
        restorer.restore(make_image((4, 5, 3)))


def test_a_failure_of_memory_on_the_whole_image_leads_to_tiles(tmp_path, monkeypatch):
    save_weights(tmp_path / "identity.pth", TINY_UNET, identity=True)
    restorer = Restorer(tmp_path / "identity.pth", device="cpu")
    sizes = limit_memory(monkeypatch, restorer, largest=256 * 256)
    image = make_image((300, 620, 3))
    np.testing.assert_array_equal(restorer.restore(image), image)
    assert [size for size in sizes if max(size) > 256] == [(300, 620), (300, 512)]
    sizes.clear()
    restorer.restore(image)
    assert max(map(max, sizes)) == 256, "what was too large before is tried again"


def test_a_task_names_the_weights_that_are_shipped(plain, tmp_path, monkeypatch):
    weights = save_plain(tmp_path / "net.pth", gain=0.5)
    shipped = ShippedWeights(TASKS["denoise"], weights, {})
    monkeypatch.setattr("semanir_arch.restoring.restorer.find", lambda task: shipped)
    image = make_image((4, 5, 3), np.float32)
    restored = restore(image, task="denoise", device="cpu")
    np.testing.assert_allclose(restored, image / 2, rtol=0, atol=1e-6)


def test_a_task_without_shipped_weights_says_how_to_train(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "semanir_arch.restoring.restorer.find", lambda task: find(task, folder=tmp_path)
    )
    with pytest.raises(FileNotFoundError, match=r"python -m semanir_arch\.weights train sr_x2"):
        Restorer(task="sr_x2")


def test_an_unknown_task_and_none_at_all_are_refused():
    with pytest.raises(ValueError, match=r"task 'blur' is unknown; .*available: denoise"):
        Restorer(task="blur")
    with pytest.raises(TypeError, match="task=3: int; the name of a task is needed"):
        Restorer(task=3)
    with pytest.raises(ValueError, match="name a task or a weights file"):
        Restorer()


def test_weights_tell_their_task(plain, tmp_path):
    weights = save_plain(tmp_path / "net.pth", task="jpeg")
    assert Restorer(weights, device="cpu").task is TASKS["jpeg"]
    weights = save_plain(tmp_path / "net.pth", task="something else")
    assert Restorer(weights, device="cpu").task is None


@pytest.mark.parametrize(
    ("strength", "bound"), [({"sigma": 5}, 5.1), ({"sigma": 0}, 0), ({"quality": 100}, 1)]
)
def test_strength_bounds_what_is_changed(plain, tmp_path, strength, bound):
    weights = save_plain(tmp_path / "net.pth", gain=0.6)
    image = make_visible((40, 50, 2))
    unbounded = restore(image, weights, device="cpu")
    bounded = restore(image, weights, device="cpu", **strength)
    change, free = (result[..., 0].astype(int) - image[..., 0] for result in (bounded, unbounded))
    assert change.std() <= bound < free.std()
    np.testing.assert_array_equal(bounded[..., 1], image[..., 1])


def test_the_ensemble_is_the_mean_over_orientations(tmp_path):
    save_weights(tmp_path / "net.pth", TINY_UNET)
    image = make_image((12, 9, 3), np.float32)
    single = Restorer(tmp_path / "net.pth", device="cpu")
    results = []
    for mirrored in (False, True):
        given = image[:, ::-1] if mirrored else image
        for turns in range(4):
            turned = single.network(
                torch.from_numpy(np.rot90(given, turns).copy()).permute(2, 0, 1)[None]
            )
            back = np.rot90(turned[0].permute(1, 2, 0).numpy(), -turns)
            results.append(back[:, ::-1] if mirrored else back)
    together = restore(image, tmp_path / "net.pth", device="cpu", ensemble=True)
    expected = np.mean(results, axis=0).clip(0, 1)
    np.testing.assert_allclose(together, expected, rtol=0, atol=1e-5)


def test_progress_grows_to_one(plain, tmp_path):
    told = []
    restorer = Restorer(save_plain(tmp_path / "net.pth"), device="cpu", tile=16, overlap=4)
    restorer.restore(make_image((40, 50, 3)), progress=told.append)
    assert len(told) > 10
    np.testing.assert_allclose(told, np.arange(1, len(told) + 1) / len(told))


def test_public_names_are_those_of_the_restorer():
    assert semanir_arch.Restorer is Restorer
    assert semanir_arch.restore is restore


@pytest.mark.gpu
def test_a_gpu_agrees_with_the_cpu(color_weights):
    image = make_image((33, 18, 3), np.float32)
    exact = restore(image, color_weights, device="cpu")
    np.testing.assert_allclose(restore(image, color_weights, "cuda"), exact, rtol=0, atol=1e-3)
