"""Distance in VGG features; the weights are random, because tests fetch nothing."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from semanir_arch.losses import VGGFeatureLoss
from semanir_arch.utils.errors import CheckpointError

LAYERS = ("relu1_2", "relu2_2", "relu3_3")


@pytest.fixture(scope="module")
def vgg():
    """The convolutions of torchvision's VGG-16 with random weights."""
    torch.manual_seed(0)
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    return layers.eval()


@pytest.fixture(scope="module")
def weights(vgg, tmp_path_factory):
    """A file as torchvision publishes it, without the classifier."""
    file = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({f"features.{name}": value for name, value in vgg.state_dict().items()}, file)
    return str(file)


@pytest.fixture
def images():
    return torch.rand(2, 3, 24, 20), torch.rand(2, 3, 24, 20)


def test_it_is_the_mean_distance_after_three_relus(vgg, weights, images):
    # torchvision's own modules, cut by the numbers that the papers' code uses.
    cuts = (4, 9, 16)
    scaled = [2 * image - 1 for image in images]
    expected = [nn.functional.mse_loss(*(vgg[:cut](x) for x in scaled)) for cut in cuts]
    loss = VGGFeatureLoss(weights, loss_weight=0.04, layers=LAYERS, normalize="symmetric")
    torch.testing.assert_close(loss(*images), 0.04 * sum(expected) / 3)


def test_a_convolution_is_compared_before_its_relu(vgg, weights, images):
    mean, deviation = (
        torch.tensor(x).view(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    expected = nn.functional.l1_loss(*(vgg[:3]((x - mean) / deviation) for x in images))
    loss = VGGFeatureLoss(weights, layers=["conv1_2", "relu1_1"], criterion="l1")
    first = nn.functional.l1_loss(*(vgg[:2]((x - mean) / deviation) for x in images))
    torch.testing.assert_close(loss(*images), (expected + first) / 2)


def test_layers_are_summed_by_their_weights_whatever_their_order(vgg, weights, images):
    distances = [nn.functional.mse_loss(*(vgg[:cut](x) for x in images)) for cut in (2, 9)]
    loss = VGGFeatureLoss(
        weights, layers=["relu2_2", "relu1_1"], normalize="none", layer_weights=[0.1, 2]
    )
    torch.testing.assert_close(loss(*images), 2 * distances[0] + 0.1 * distances[1])
    with pytest.raises(ValueError, match="one is needed for each of"):
        VGGFeatureLoss(weights, layer_weights=[1])


def test_the_gradient_reaches_the_image_and_nothing_else(weights, images):
    output = images[0].requires_grad_()
    loss = VGGFeatureLoss(weights)
    loss(output, images[1]).backward()
    assert output.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_gray_images_and_half_precision_are_computed_as_colour_in_float32(weights, images):
    loss = VGGFeatureLoss(weights, layers=["relu1_1"], normalize="none")
    gray = [image[:, :1] for image in images]
    expected = loss(*(image.repeat(1, 3, 1, 1) for image in gray))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(loss(*gray), expected, rtol=0, atol=0)


def test_without_the_file_it_says_how_to_make_it():
    with pytest.raises(FileNotFoundError, match=r"no such file: 'gone.pth'.*vgg16\(weights="):
        VGGFeatureLoss("gone.pth")


@pytest.mark.parametrize(
    "state", [{"features.0.weight": torch.zeros(64, 3, 3, 3)}, {"params": torch.zeros(1)}]
)
def test_a_file_of_another_network_is_refused(tmp_path, state):
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other.pth: no weights of vgg16: features.0"):
        VGGFeatureLoss(str(tmp_path / "other.pth"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vgg": "vgg17"}, "vgg='vgg17' is unknown; allowed: vgg11, vgg13, vgg16, vgg19"),
        ({"layers": ["relu3_4"]}, r"layers=\['relu3_4'\]; vgg16 has conv1_1, relu1_1"),
        ({"layers": []}, r"layers=\[\]"),
        ({"criterion": "fro"}, "criterion='fro' is unknown; allowed: mse, l1"),
        ({"normalize": "no"}, "normalize='no' is unknown; allowed: imagenet, symmetric, none"),
    ],
)
def test_what_is_not_allowed_is_refused(weights, arguments, message):
    with pytest.raises(ValueError, match=message):
        VGGFeatureLoss(weights, **arguments)
