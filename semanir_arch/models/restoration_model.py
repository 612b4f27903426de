"""The model class for all restoration tasks: BasicSR's `SRModel` with our evaluation and files."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm  # type: ignore[import-untyped]

from semanir_arch import __version__, host
from semanir_arch.data.image_io import to_integer, write_image
from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.models.evaluation import Evaluation, Row
from semanir_arch.modules.padding import crop, pad_to_multiple
from semanir_arch.utils.checkpoint import load_checkpoint, load_into, save_checkpoint
from semanir_arch.utils.options import Option, hint

__all__ = ["RestorationModel", "draw_k", "optimizers"]

SRModel: Any = host.load("basicsr.models.sr_model").SRModel


class RestorationModel(SRModel):
    """Trains and evaluates one network on pairs of degraded and clean images.

    It adds to `SRModel`: padding to the size the network declares, the number of keys per token
    (drawn per iteration, or set for evaluation), scores of input and output by a named protocol,
    every optimizer of torch, atomic files that hold the network's options, and readable messages
    for weights that do not fit.

    Attributes:
        evaluations: Scores of the latest evaluation of every dataset, by the dataset's name.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        "train.k": Option(
            (int, list[int]),
            default=None,
            help="keys kept per token while training; a list draws one of them in every iteration; "
            "null for the network's own",
        ),
        "val.k": Option(
            int, default=None, help="keys kept per token in evaluation; null for the network's own"
        ),
        "val.protocol": Option(
            str,
            default=None,
            choices=(*PROTOCOLS, None),
            help="colour space, rounding, border and averaging",
        ),
        "val.size_multiple": Option(
            int,
            default=None,
            help="pad images to multiples of this many pixels; null for what the network declares",
        ),
    }

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        self.evaluations: dict[str, Evaluation] = {}
        self._built_k = getattr(self.get_bare_model(self.net_g), "k", None)

    def optimize_parameters(self, current_iter: int) -> None:
        """One training step, with the number of keys that this iteration draws."""
        kept = self.opt["train"].get("k")
        if kept is not None:
            k = draw_k(kept, self.opt["manual_seed"], current_iter)
            self._set_k(self.get_bare_model(self.net_g), k, "train:k")
        super().optimize_parameters(current_iter)

    def test(self) -> None:
        """Restore `self.lq` into `self.output`, of the same size times the scale."""
        averaged = hasattr(self, "net_g_ema")
        # Not the wrapped network: rank 0 evaluates alone, and a wrapper would wait for the others.
        network = self.net_g_ema if averaged else self.get_bare_model(self.net_g)
        val: dict[str, Any] = self.opt.get("val") or {}
        declared: int = getattr(network, "size_multiple", 1)
        multiple = val.get("size_multiple", declared) or declared
        scale = getattr(network, "upscale", self.opt.get("scale", 1))
        mode = getattr(network, "padding_mode", "reflect")
        with torch.no_grad(), self._evaluating(network, val.get("k")):
            padded, size = pad_to_multiple(self.lq, multiple, mode)
            self.output = crop(network(padded), size, scale)

    def validation(
        self,
        dataloader: DataLoader[Any],
        current_iter: int | str,
        tb_logger: Any,
        save_img: bool = False,
    ) -> None:
        """Restore and score one dataset, log the means, keep the scores in `evaluations`.

        Args:
            dataloader: One image per batch.
            current_iter: Iteration, or in a test the name of the run.
            tb_logger: TensorBoard writer, or None.
            save_img: Whether to write the restored images.
        """
        if self.opt["rank"] != 0:
            return
        if self.is_train:
            # After the last iteration, BasicSR has counted one more.
            current_iter = min(int(current_iter), int(self.opt["train"]["total_iter"]))
        dataset = dataloader.dataset.opt["name"]  # type: ignore[attr-defined]
        evaluation = Evaluation(dataset, self.opt["val"].get("protocol"))
        for data in tqdm(dataloader, unit="image", disable=not self.opt["val"].get("pbar", False)):
            name = Path(data["lq_path"][0]).stem
            self.feed_data(data)
            self.test()
            if save_img:
                write_image(self._image_path(dataset, name, current_iter), _to_image(self.output))
            if "gt" in data:
                evaluation.rows.append(self._score(name))
        self.evaluations[dataset] = evaluation
        self.metric_results = evaluation.means()
        if self.metric_results:
            self._keep_best(dataset, current_iter)
            self._log_validation_metric_values(current_iter, dataset, tb_logger)

    def get_optimizer(
        self, optim_type: str, params: Sequence[nn.Parameter], lr: float, **kwargs: Any
    ) -> torch.optim.Optimizer:
        """Any optimizer of `torch.optim`; BasicSR 1.4.2 knows only Adam.

        Raises:
            ValueError: No such optimizer.
        """
        known = optimizers()
        if optim_type not in known:
            raise ValueError(
                f"train:optim_g:type: received {optim_type!r}; {hint(optim_type, known)}"
            )
        return known[optim_type](params, lr=lr, **kwargs)  # type: ignore[call-arg]

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

    def save_training_state(self, epoch: int, current_iter: int) -> None:
        """Write what `--auto_resume` continues from; nothing at the end of the training (-1)."""
        if self.opt["rank"] != 0 or current_iter == -1:
            return
        state = {
            "epoch": epoch,
            "iter": current_iter,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
        }
        save_checkpoint(Path(self.opt["path"]["training_states"]) / f"{current_iter}.state", state)

    def load_network(
        self, net: nn.Module, load_path: str, strict: bool = True, param_key: str | None = "params"
    ) -> None:
        """Load weights, with one message for everything that does not fit.

        Args:
            net: Changed in place.
            load_path: The file.
            strict: Whether all weights must fit; if not, BasicSR loads those that do.
            param_key: Which weights; `params` where the file has no `params_ema`.
        """
        if not strict:
            super().load_network(net, load_path, strict, param_key)
            return
        keys = ("params_ema", "params") if param_key == "params_ema" else param_key or "auto"
        load_into(self.get_bare_model(net), load_checkpoint(load_path, keys))

    def print_network(self, net: nn.Module) -> None:
        """Log the network's name and size; its options are in the experiment's option file."""
        network = self.get_bare_model(net)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        logger = host.load("basicsr.utils").get_root_logger()
        logger.info("Network %s with %s parameters.", type(network).__name__, f"{parameters:,d}")

    def _score(self, name: str) -> Row:
        """Scores of `self.lq` and `self.output` against `self.gt`."""
        output, target = self.output[0].float().cpu(), self.gt[0].float().cpu()
        given = self.lq[0].float().cpu()
        val = self.opt["val"]
        comparable = given.shape == target.shape
        before: dict[str, float] = {}
        after: dict[str, float] = {}
        if val.get("protocol"):
            protocol = PROTOCOLS[val["protocol"]]
            scale = self.opt.get("scale", 1)
            before = protocol.evaluate(given, target, scale) if comparable else {}
            after = protocol.evaluate(output, target, scale)
        for metric, block in (val.get("metrics") or {}).items():
            before |= {metric: _host_metric(block, given, target)} if comparable else {}
            after[metric] = _host_metric(block, output, target)
        return Row(name, before, after)

    def _keep_best(self, dataset: str, current_iter: int | str) -> None:
        """Remember the best mean of every score, as BasicSR does during training."""
        if not self.is_train:
            return
        if not hasattr(self, "best_metric_results"):
            self.best_metric_results: dict[str, dict[str, dict[str, Any]]] = {}
        best = self.best_metric_results.setdefault(dataset, {})
        for name, value in self.metric_results.items():
            block = (self.opt["val"].get("metrics") or {}).get(name, {})
            better = block.get("better", "higher")
            worst = float("-inf") if better == "higher" else float("inf")
            best.setdefault(name, {"better": better, "val": worst, "iter": -1})
            self._update_best_metric_result(dataset, name, value, current_iter)

    def _image_path(self, dataset: str, name: str, current_iter: int | str) -> Path:
        folder = Path(self.opt["path"]["visualization"])
        if self.is_train:
            return folder / name / f"{name}_{current_iter}.png"
        return folder / dataset / f"{name}_{self.opt['val'].get('suffix') or self.opt['name']}.png"

    @contextmanager
    def _evaluating(self, network: nn.Module, k: int | None) -> Iterator[None]:
        """Evaluation mode with `k` keys, until the block ends."""
        was_training, kept = network.training, getattr(network, "k", None)
        network.eval()
        wanted = k or self._built_k
        if wanted is not None:
            self._set_k(network, wanted, "val:k")
        try:
            yield
        finally:
            network.train(was_training)
            if kept is not None:
                self._set_k(network, kept, "val:k")

    @staticmethod
    def _set_k(network: nn.Module, k: int, option: str) -> None:
        if not hasattr(network, "k"):
            raise ValueError(f"{option}: received {k}, but {type(network).__name__} has no k")
        network.k = k  # type: ignore[assignment]


def draw_k(kept: int | Sequence[int], seed: int, iteration: int) -> int:
    """Number of keys per token in one iteration.

    It depends on seed and iteration alone, so all processes draw the same, also after a resume.

    Args:
        kept: A number, or the numbers to draw from with equal chance.
        seed: The run's `manual_seed`.
        iteration: Counted from 1.
    """
    return kept if isinstance(kept, int) else random.Random(f"{seed} {iteration}").choice(kept)


def optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """The optimizers of `torch.optim` by name."""
    return {
        name: value
        for name, value in vars(torch.optim).items()
        if isinstance(value, type)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
    }


def _host_metric(block: Mapping[str, Any], image: Tensor, target: Tensor) -> float:
    """A metric in BasicSR's form: on uint8 images of shape (H, W, C), BGR.

    Args:
        block: Entry of `val.metrics`.
        image: Shape (C, H, W), RGB or gray, range [0, 1]; clamped and rounded here.
        target: As `image`.
    """
    to_image = host.load("basicsr.utils").tensor2img
    arguments = {key: value for key, value in block.items() if key != "better"}
    images = {"img": to_image([image]), "img2": to_image([target])}
    return float(host.load("basicsr.metrics").calculate_metric(images, arguments))


def _to_image(output: Tensor) -> Any:
    """A restored batch of one, (1, C, H, W) in about [0, 1], as an image (H, W, C), uint8."""
    return to_integer(output[0].float().permute(1, 2, 0).cpu().numpy())


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Nested options as plain dictionaries, for files that are read without running code."""
    return {k: _plain(v) if isinstance(v, Mapping) else v for k, v in options.items()}
