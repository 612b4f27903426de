"""What the classes of BasicSR and torch that our option files name accept: types and ranges.

Their signatures tell neither, and BasicSR's SwinIR and losses take whatever they are given. Other
classes of BasicSR keep what their signatures say.

Sources: `basicsr/archs/swinir_arch.py`, `archs/discriminator_arch.py`,
    `data/paired_image_dataset.py`, `data/single_image_dataset.py`, `losses/basic_loss.py`,
    `losses/gan_loss.py`, `metrics/psnr_ssim.py` and `metrics/niqe.py` of version 1.4.2; the
    documentation of `torch.optim`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from semanir_arch.utils.options.basicsr_keys import DATASET, FACTOR, RATE, Section
from semanir_arch.utils.options.option_types import Bounds, Length, OneOf, Option

__all__ = ["DATASETS", "LOSS_TYPES", "METRIC_TYPES", "NETWORKS", "OPTIMIZER_TYPES", "TEMPLATE"]


class Template:
    """Mark of a text with one pair of braces, which stand for a name."""

    def accepts(self, value: Any) -> bool:
        """Whether a text is such a template."""
        return isinstance(value, str) and value.count("{}") == 1

    def __str__(self) -> str:
        return "with one {}"


TEMPLATE = Annotated[str, Template()]
"""A name with `{}` in place of another one."""

_SIDE = Annotated[int, Bounds(1, 65536)]
_SHARE = Annotated[float, Bounds(0, below=1)]
_WEIGHT = Annotated[float, Bounds(0, 1e6)]
_REDUCTION = Annotated[str, OneOf("mean", "sum")]
_BORDER = Annotated[int, Bounds(0, 65536)]
_COLORS = Annotated[list[float], Length(1, 3)]
_DEPTH = Annotated[int, Bounds(1, 128)]
_CHANNELS = Annotated[int, Bounds(1, 64)]
_FEATURES = Annotated[int, Bounds(1, 4096)]

NETWORKS: dict[str, Section] = {
    "SwinIR": {
        "img_size": Option((_SIDE, tuple[_SIDE, _SIDE]), 64, "side of training inputs in pixels"),
        "patch_size": Option(Annotated[int, OneOf(1)], 1, "pixels per token: 1"),
        "in_chans": Option(_CHANNELS, 3, "channels in and out"),
        "embed_dim": Option(_FEATURES, 96, "channels of the body"),
        "depths": Option(
            Annotated[Sequence[_DEPTH], Length(1, 32, total=512)],
            (6, 6, 6, 6),
            "layers of each stage",
        ),
        "num_heads": Option(
            Annotated[Sequence[Annotated[int, Bounds(1, 512)]], Length(1, 32)],
            (6, 6, 6, 6),
            "attention heads of each stage",
        ),
        "window_size": Option(Annotated[int, Bounds(1, 64)], 7, "side of the windows in pixels"),
        "mlp_ratio": Option(
            Annotated[float, Bounds(above=0, most=16)], 4.0, "hidden channels per channel"
        ),
        "qkv_bias": Option(bool, True, "whether queries, keys and values have a bias"),
        "qk_scale": Option(
            Annotated[float, Bounds(above=0, most=1e6)],
            None,
            "scale of the scores; null for the usual one",
        ),
        "drop_rate": Option(_SHARE, 0.0, "share of features that are dropped in training"),
        "attn_drop_rate": Option(_SHARE, 0.0, "share of attention that is dropped in training"),
        "drop_path_rate": Option(_SHARE, 0.1, "share of branches that are dropped in training"),
        "ape": Option(bool, False, "whether positions are added to the first features"),
        "patch_norm": Option(bool, True, "whether the first features are normalized"),
        "use_checkpoint": Option(bool, False, "recompute activations: less memory, slower"),
        "upscale": Option(Annotated[int, Bounds(1, 16)], 2, "enlargement"),
        "img_range": Option(
            Annotated[float, Bounds(above=0, most=65535)], 1.0, "value of white: 1 or 255"
        ),
        "upsampler": Option(
            str,
            "",
            "how images are enlarged",
            ("pixelshuffle", "pixelshuffledirect", "nearest+conv", "", None),
        ),
        "resi_connection": Option(str, "1conv", "end of each stage", ("1conv", "3conv")),
    },
    "UNetDiscriminatorSN": {
        "num_in_ch": Option(_CHANNELS, help="channels of the images"),
        "num_feat": Option(_FEATURES, 64, "channels of the first features"),
        "skip_connection": Option(
            bool, True, "add features on the way up to those on the way down"
        ),
    },
    "VGGStyleDiscriminator": {
        "num_in_ch": Option(_CHANNELS, help="channels of the images"),
        "num_feat": Option(_FEATURES, help="channels of the first features"),
        "input_size": Option(Annotated[int, OneOf(128, 256)], 128, "side of the images in pixels"),
    },
}
"""Arguments of networks whose signatures do not say what they take."""

_READING: Section = {
    "io_backend": Option(DATASET["io_backend"].type, help="type (disk or lmdb) and arguments"),
    "mean": Option(_COLORS, None, "subtracted from each channel"),
    "std": Option(_COLORS, None, "what each channel is then divided by"),
    "color": Option(str, None, "y reads luma alone", ("y", "rgb", None)),
}

DATASETS: dict[str, Section] = {
    "PairedImageDataset": {
        **_READING,
        "dataroot_gt": Option(str, help="folder or *.lmdb of the clean images"),
        "dataroot_lq": Option(str, help="folder or *.lmdb of the degraded images"),
        "meta_info_file": Option(str, None, "text file that names the images to use"),
        "filename_tmpl": Option(TEMPLATE, "{}", "name of the input, where {} is the target's"),
        "gt_size": Option(
            _SIDE, help="training patch in target pixels, a multiple of scale", training_only=True
        ),
        "use_hflip": Option(bool, help="random horizontal flips", training_only=True),
        "use_rot": Option(bool, help="random vertical flips and transposition", training_only=True),
    },
    "SingleImageDataset": {
        **_READING,
        "dataroot_lq": Option(str, help="folder or *.lmdb of the images"),
        # BasicSR opens whatever the key holds, null too
        "meta_info_file": Option(str, "", "text file that names the images to use"),
    },
}
"""Options of data sets."""

_PIXEL_LOSS = {
    "loss_weight": FACTOR,
    "reduction": _REDUCTION,
    "eps": Annotated[float, Bounds(0, 1)],
}

_GAN_LOSS = {
    "gan_type": Annotated[str, OneOf("vanilla", "lsgan", "wgan", "wgan_softplus", "hinge")],
    "real_label_val": Annotated[float, Bounds(-1e6, 1e6)],
    "fake_label_val": Annotated[float, Bounds(-1e6, 1e6)],
    "loss_weight": FACTOR,
}

LOSS_TYPES: dict[str, dict[str, Any]] = {
    "GANLoss": _GAN_LOSS,
    "MultiScaleGANLoss": _GAN_LOSS,
    "L1Loss": _PIXEL_LOSS,
    "MSELoss": _PIXEL_LOSS,
    "CharbonnierLoss": _PIXEL_LOSS,
    "WeightedTVLoss": _PIXEL_LOSS,
    "PerceptualLoss": {
        "layer_weights": Annotated[dict[str, Any], Length(1)],
        "vgg_type": Annotated[str, OneOf("vgg11", "vgg13", "vgg16", "vgg19")],
        "use_input_norm": bool,
        "range_norm": bool,
        "perceptual_weight": _WEIGHT,
        "style_weight": _WEIGHT,
        "criterion": Annotated[str, OneOf("l1", "fro")],
    },
}
"""Types of the arguments of losses. A loss must be one number, so `none` is no reduction."""

METRIC_TYPES: dict[str, Section] = {
    name: {
        "crop_border": Option(_BORDER, help="pixels to leave out at each edge"),
        "input_order": Option(str, "HWC", "order of the image's axes", ("HWC", "CHW")),
        **more,
    }
    for name, more in {
        "calculate_psnr": {"test_y_channel": Option(bool, False, "measure luma alone")},
        "calculate_ssim": {"test_y_channel": Option(bool, False, "measure luma alone")},
        "calculate_niqe": {"convert_to": Option(str, "y", "measured channel", ("y", "gray"))},
    }.items()
}
"""Arguments of metrics that take any keyword."""

OPTIMIZER_TYPES: dict[str, Any] = {
    "lr": RATE,
    "betas": tuple[_SHARE, _SHARE],
    "eps": Annotated[float, Bounds(0, 1)],
    "weight_decay": Annotated[float, Bounds(0, 100)],
    "momentum": Annotated[float, Bounds(0, 1)],
    "dampening": Annotated[float, Bounds(0, 1)],
    "alpha": Annotated[float, Bounds(0, 1)],
    "rho": Annotated[float, Bounds(0, 1)],
    "momentum_decay": Annotated[float, Bounds(0, 1)],
    "lr_decay": Annotated[float, Bounds(0, 100)],
    "lambd": Annotated[float, Bounds(0, 100)],
    "initial_accumulator_value": Annotated[float, Bounds(0, 1e6)],
    "ns_steps": Annotated[int, Bounds(1, 100)],
}
"""Types of the arguments of optimizers."""
