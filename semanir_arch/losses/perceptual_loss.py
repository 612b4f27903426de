"""Distance of images in the features of a VGG network (Johnson et al., arXiv 1603.08155).

BasicSR's `PerceptualLoss` fetches weights from the network of its own accord. This one reads the
file that the user names, or says how to make it. Adverse-weather removal trains with
`SmoothL1Loss` plus 0.04 times this loss (TransWeather, arXiv 2111.14813): vgg16, mean squares of
relu1_2, relu2_2 and relu3_3, images scaled to [-1, 1].
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.losses.loss_weight import LossWeight
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.errors import CheckpointError, InputError, MissingFileError
from semanir_arch.utils.values import Length, OneOf

__all__ = ["VGGFeatureLoss", "feature_distance"]

_CRITERIA = {"mse": F.mse_loss, "l1": F.l1_loss}
_NETWORKS = ("vgg11", "vgg13", "vgg16", "vgg19")
_OFFSETS_AND_SCALES = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Values that are subtracted from, and then divide, RGB in [0, 1]."""


def feature_distance(
    output: Sequence[Tensor],
    target: Sequence[Tensor],
    criterion: str = "mse",
    layer_weights: Sequence[float] | None = None,
) -> Tensor:
    """Mean, or weighted sum, over the layers of the distance of their features.

    Args:
        output: Features of the restored images, one (B, C, H, W) per layer.
        target: Features of the clean images.
        criterion: "mse" or "l1".
        layer_weights: Weight of each layer in the sum; None for the mean.
    """
    distance = _CRITERIA[criterion]
    distances = torch.stack([distance(a, b) for a, b in zip(output, target, strict=True)])
    if layer_weights is None:
        return distances.mean()
    return (distances * distances.new_tensor(list(layer_weights))).sum()


class VGGFeatureLoss(nn.Module):
    """`feature_distance` of the features of torchvision's VGG, always in float32.

    Args:
        weights: File with the state dict of that network, as torchvision publishes it.
        loss_weight: Factor.
        vgg: "vgg11", "vgg13", "vgg16" or "vgg19", without batch normalization.
        layers: Layers whose outputs are compared: "relu3_3" is the third ReLU of the third block,
            "conv5_4" a convolution before its ReLU, "pool2" a pooling.
        criterion: "mse" or "l1".
        normalize: "imagenet" (mean and deviation of its training), "symmetric" (to [-1, 1]) or
            "none".
        layer_weights: Weights of the `layers` in the sum of their distances, as in ESRGAN and
            Real-ESRGAN; None for the mean.

    Raises:
        FileNotFoundError: There is no such file; the message says how to make it.
        CheckpointError: It is no file of this network.
        ValueError: Another argument is not allowed.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        weights: str,
        loss_weight: LossWeight = 1.0,
        vgg: Annotated[str, OneOf(*_NETWORKS)] = "vgg16",
        layers: Annotated[Sequence[str], Length(1, 64)] = ("relu1_2", "relu2_2", "relu3_3"),
        criterion: Annotated[str, OneOf(*_CRITERIA)] = "mse",
        normalize: Annotated[str, OneOf(*_OFFSETS_AND_SCALES)] = "imagenet",
        layer_weights: Annotated[Sequence[LossWeight], Length(1, 64)] | None = None,
    ) -> None:
        super().__init__()
        for name, value, allowed in (
            ("vgg", vgg, _NETWORKS),
            ("criterion", criterion, _CRITERIA),
            ("normalize", normalize, _OFFSETS_AND_SCALES),
        ):
            if value not in allowed:
                raise InputError(f"{name}={value!r} is unknown; allowed: {', '.join(allowed)}")
        self.loss_weight = loss_weight
        self.criterion = criterion
        modules = _named_layers(vgg)
        unknown = [layer for layer in layers if layer not in modules]
        if unknown or not layers:
            raise InputError(f"layers={list(layers)}; {vgg} has {', '.join(modules)}")
        if layer_weights is not None and len(layer_weights) != len(layers):
            raise InputError(
                f"layer_weights={list(layer_weights)}; one is needed for each of {list(layers)}"
            )
        depth = max(list(modules).index(layer) for layer in layers) + 1
        self.layers = nn.ModuleDict(dict(list(modules.items())[:depth]))
        # features come in the order of the network, whatever that of the arguments
        self.compared = [name for name in self.layers if name in layers]
        self.layer_weights = (
            None
            if layer_weights is None
            else [dict(zip(layers, layer_weights, strict=True))[name] for name in self.compared]
        )
        _load(self.layers, weights, vgg)
        self.requires_grad_(False)
        mean, deviation = _OFFSETS_AND_SCALES[normalize]
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(3, 1, 1))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Weighted loss of RGB or gray images (B, 3 or 1, H, W) in [0, 1]."""
        with torch.no_grad():
            wanted = self.features(target)
        distance = feature_distance(
            self.features(output), wanted, self.criterion, self.layer_weights
        )
        return self.loss_weight * distance

    def features(self, images: Tensor) -> list[Tensor]:
        """Outputs of the compared layers, in the order of the network."""
        with torch.autocast(images.device.type, enabled=False):
            x = (images.float().expand(-1, 3, -1, -1) - self.mean) / self.deviation
            outputs = []
            for name, layer in self.layers.items():
                x = layer(x)
                if name in self.compared:
                    outputs.append(x)
        return outputs


def _named_layers(vgg: str) -> dict[str, nn.Module]:
    """Convolutions, ReLUs and poolings of a VGG by name, without memory for weights."""
    # Imported here: nothing else in this package needs torchvision.
    from torchvision import models

    with torch.device("meta"):
        features = getattr(models, vgg)(weights=None).features
    layers: dict[str, nn.Module] = {}
    block, index = 1, 0
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            index += 1
            layers[f"conv{block}_{index}"] = layer
        elif isinstance(layer, nn.ReLU):
            # In place it would change the convolution's output, which may be compared too.
            layers[f"relu{block}_{index}"] = nn.ReLU()
        else:
            layers[f"pool{block}"] = layer
            block, index = block + 1, 0
    return layers


def _load(layers: nn.ModuleDict, file: str | os.PathLike[str], vgg: str) -> None:
    """Fill layers from a file in which they are called `features.0`, `features.1`, ..."""
    if not Path(file).is_file():
        raise MissingFileError(
            f"no such file: {str(file)!r}. It must hold torchvision's weights of {vgg}; make it "
            "once on a computer with internet access: import torch, torchvision; torch.save("
            f"torchvision.models.{vgg}(weights='IMAGENET1K_V1').state_dict(), {str(file)!r})"
        )
    given: Mapping[str, Tensor] = load_state(file)
    wanted = {
        f"{name}.{part}": f"features.{index}.{part}"
        for index, (name, layer) in enumerate(layers.items())
        for part, _ in layer.named_parameters()
    }
    shapes = {name: tensor.shape for name, tensor in layers.state_dict().items()}
    for name, key in wanted.items():
        if key not in given or given[key].shape != shapes[name]:
            raise CheckpointError(
                f"{file}: no weights of {vgg}: {key} is missing or of other shape"
            )
    layers.load_state_dict({name: given[key] for name, key in wanted.items()}, assign=True)
