"""The model class for all restoration tasks: BasicSR's `SRModel` with our evaluation and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from semanir_arch import __version__, host
from semanir_arch.evaluation.validation import Validation
from semanir_arch.models.freezing import members
from semanir_arch.models.training_step import TrainingStep
from semanir_arch.utils.checkpoint import (
    Checkpoint,
    align,
    check_fit,
    load_checkpoint,
    save_checkpoint,
)
from semanir_arch.utils.options import Option

__all__ = ["RestorationModel"]


class RestorationModel(TrainingStep, Validation):
    """Trains and evaluates one network on pairs of degraded and clean images.

    It adds to `SRModel`: padding to the size the network declares, the number of keys per token
    (drawn per iteration, or set for evaluation), scores of input and output by a named protocol,
    every optimizer of torch, atomic files that hold the network's options, and readable messages
    for weights that do not fit.

    Attributes:
        evaluations: Scores of the latest evaluation of every dataset, by the dataset's name.
        loaded: Number of weights that a network took from the last file, and number that it has; 0
            of 0 if no file was loaded.
    """

    loaded: tuple[int, int] = (0, 0)

    OPTIONS: ClassVar[dict[str, Option]] = {
        **TrainingStep.OPTIONS,
        **Validation.OPTIONS,
        "path.fresh_g": Option(
            list[str],
            default=None,
            help="modules that keep their random weights although the file of pretrain_network_g "
            "has others, such as [to_target]",
        ),
    }

    def save_network(
        self, net: Any, net_label: str, current_iter: int, param_key: str | list[str] = "params"
    ) -> None:
        """Write weights together with the options that rebuild their network."""
        if self.opt["rank"] != 0:
            return
        networks, keys = (x if isinstance(x, list) else [x] for x in (net, param_key))
        state: dict[str, Any] = {
            key: {
                name: value.cpu()
                for name, value in self.get_bare_model(network).state_dict().items()
            }
            for key, network in zip(keys, networks, strict=True)
        }
        option = net_label.replace("net_", "network_", 1)
        state[option] = _plain(self.opt[option])
        state["metadata"] = {
            "name": self.opt["name"],
            "iter": current_iter,
            "semanir_arch": __version__,
        }
        label = "latest" if current_iter == -1 else current_iter
        save_checkpoint(Path(self.opt["path"]["models"]) / f"{net_label}_{label}.pth", state)

    def __init__(self, opt: dict[str, Any]) -> None:
        host.check_foreign(opt)
        super().__init__(opt)

    def save_training_state(self, epoch: int, current_iter: int) -> None:
        """Write `training_state()`, in BasicSR's layout; nothing for the latest network.

        Args:
            epoch: Passes over the data so far.
            current_iter: Iterations that have been run; -1 for the latest network.

        Raises:
            OSError: The file cannot be written.
        """
        if self.opt["rank"] != 0 or current_iter == -1:
            return
        path = Path(self.opt["path"]["training_states"]) / f"{current_iter}.state"
        state = {"epoch": epoch, "iter": current_iter, **self.training_state()}
        save_checkpoint(path, state)

    def load_network(
        self, net: nn.Module, load_path: str, strict: bool = True, param_key: str | None = "params"
    ) -> None:
        """Load weights, with one message for everything that does not fit.

        Args:
            net: Network, changed in place.
            load_path: The file.
            strict: Whether all weights must fit; if not, those that do are loaded, and the log
                tells how many.
            param_key: Key of the weights; `params` if the file has no `params_ema`.

        Raises:
            CheckpointError: They do not fit; without `strict`, not one of them.
            ValueError: `path:fresh_g` names what the network does not have.
        """
        network = self.get_bare_model(net)
        if getattr(network, "file", None) == load_path:
            # built from this very file, whose names may be others than the network's
            return
        keys = ("params_ema", "params") if param_key == "params_ema" else param_key or "auto"
        checkpoint = align(network, load_checkpoint(load_path, keys))
        fitting = _fitting(network, checkpoint)
        if strict or not fitting:
            check_fit(network, checkpoint)
        # what continues is all of the trained network
        resumes = bool(self.opt["path"].get("resume_state"))
        named = () if resumes else self.opt["path"].get("fresh_g") or ()
        fresh = members(network, named, "path:fresh_g")
        loaded = {name: value for name, value in fitting.items() if name not in fresh}
        network.load_state_dict(loaded, strict=False)
        count = len(network.state_dict())
        self.loaded = len(loaded), count
        if len(loaded) < count:
            text = "%s: %d of %d weights are taken from it, the others stay random."
            host.load("basicsr.utils").get_root_logger().info(text, load_path, len(loaded), count)

    def print_network(self, net: nn.Module) -> None:
        """Log the network's name and size; its options are in the experiment's option file."""
        network = self.get_bare_model(net)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        logger = host.load("basicsr.utils").get_root_logger()
        logger.info("Network %s with %s parameters.", type(network).__name__, f"{parameters:,d}")


def _fitting(network: nn.Module, checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Weights of a file that have the name and the shape of one of the network's."""
    own = network.state_dict()
    return {
        name: value
        for name, value in checkpoint.params.items()
        if name in own and own[name].shape == value.shape
    }


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Nested options as plain dictionaries, for files that are read without running code."""
    return {k: _plain(v) if isinstance(v, Mapping) else v for k, v in options.items()}
