"""What a training needs besides the network: settings, losses, optimizer, schedule, average."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from semanir_arch import host
from semanir_arch.archs.argument_types import Keys
from semanir_arch.models import freezing, mixing
from semanir_arch.models.averaging import update_average
from semanir_arch.models.freezing import WarmStart
from semanir_arch.models.mixed_precision import PRECISIONS, check_precision, loss_scaler
from semanir_arch.models.mixing import Mixup
from semanir_arch.models.nonfinite import SkippedSteps
from semanir_arch.models.objective import Objective
from semanir_arch.models.optimizers import optimizers
from semanir_arch.models.schedules import build_schedule, learning_rate
from semanir_arch.utils import devices
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Bounds, Length, Option, hint, read_options

__all__ = ["TrainingSetup"]

SRModel: Any = host.load("basicsr.models.sr_model").SRModel

_STEP: dict[str, Option] = {
    "k": Option(
        (Keys, Annotated[list[Keys], Length(1)]),
        default=None,
        help="keys kept per token while training; a list draws one of them in every iteration; "
        "null for the network's own",
    ),
    "losses": Option(
        dict, default=None, help="further losses: names that begin with l_, type and arguments"
    ),
    "accumulate": Option(
        Annotated[int, Bounds(1, 65536)],
        default=1,
        help="parts in which a batch is computed: less memory, the same step",
    ),
    "clip_grad_norm": Option(
        Annotated[float, Bounds(above=0, most=1e9)],
        default=None,
        help="largest norm of the whole gradient; null for no limit",
    ),
    "checkpointing": Option(
        bool, default=False, help="recompute activations in the backward pass: less memory, slower"
    ),
    "compile": Option(bool, default=False, help="compile the network with torch.compile"),
    "channels_last": Option(bool, default=False, help="keep images and weights channels-last"),
    "ema_warmup": Option(
        bool, default=False, help="let ema_decay rise from 0.2 in the first iterations"
    ),
    "max_nonfinite": Option(
        Annotated[int, Bounds(0)],
        default=10,
        help="steps without a finite loss and gradient that may be skipped",
    ),
    "mixing_augs": Option(dict, default=None, help="mixup of the images of a batch"),
    "freeze": Option(dict, default=None, help="train only some modules in the first iterations"),
}


class TrainingSetup(SRModel):
    """Builds what a training needs, and keeps the state that a resumed one continues from."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        "precision": Option(
            str,
            default="fp32",
            choices=PRECISIONS,
            help="precision of convolutions and matrix products in training; fp16 needs a GPU",
            training_only=True,
        ),
        **{f"train.{name}": option for name, option in _STEP.items()},
        **{f"train.freeze.{name}": option for name, option in freezing.OPTIONS.items()},
        **{f"train.mixing_augs.{name}": option for name, option in mixing.OPTIONS.items()},
    }

    net_g: Any

    def __init__(self, opt: dict[str, Any]) -> None:
        self._frozen: list[nn.Parameter] = []
        if opt["is_train"]:
            self._read_settings(opt)
        super().__init__(opt)

    def _read_settings(self, opt: Mapping[str, Any]) -> None:
        """Check everything that does not need the network.

        Raises:
            ValueError: Naming the option, what was received and what is allowed.
        """
        self._settings = settings = read_options(_STEP, opt["train"])
        for name, least in (("accumulate", 1), ("max_nonfinite", 0)):
            if settings[name] < least:
                raise InputError(f"train:{name}: received {settings[name]}; at least {least}")
        clip = settings["clip_grad_norm"]
        if clip is not None and clip <= 0:
            raise InputError(f"train:clip_grad_norm: received {clip}; must be above 0, or null")
        self._precision = opt.get("precision", "fp32")
        device = devices.device_of_run(opt["num_gpu"])
        check_precision(self._precision, device)
        special = self._precision != "fp32" or settings["compile"]
        if special and opt["num_gpu"] > 1 and not opt["dist"]:
            raise InputError(
                f"precision {self._precision}, train:compile {settings['compile']}: on "
                f"{opt['num_gpu']} GPUs this needs one process per GPU: start with "
                "torchrun --nproc_per_node=N train.py -opt FILE"
            )
        self._scaler = loss_scaler(self._precision, device)
        self._mixup = Mixup.read(settings["mixing_augs"])
        self._warm_start = WarmStart.read(settings["freeze"]) if settings["freeze"] else None
        self._schedule = build_schedule(opt["train"]["scheduler"])
        self._skipped = SkippedSteps(settings["max_nonfinite"])

    def model_to_device(self, net: nn.Module) -> nn.Module:
        """Lay the network out for training, then let BasicSR place and wrap it."""
        if self.is_train:
            if self._settings["checkpointing"]:
                _recompute_activations(net)
            if self._settings["channels_last"]:
                # torch 2.11 does not know the argument, later ones do
                wanted = {"memory_format": torch.channels_last}
                net = net.to(**wanted)  # type: ignore[call-overload,unused-ignore]
            if self._warm_start is not None:
                # Before wrapping: it must not wait for gradients that will not come.
                self._frozen = self._warm_start.frozen(net)
                nn.ParameterList(self._frozen).requires_grad_(False)
        return super().model_to_device(net)

    def init_training_settings(self) -> None:
        """Losses, average, optimizer: everything that BasicSR sets up for a training."""
        train = self.opt["train"]
        self.net_g.train()
        self.ema_decay = train.get("ema_decay", 0)
        if self.ema_decay > 0:
            self._start_average()
        self._objective = Objective(train, self.device)
        self.setup_optimizers()
        self._compile()

    def _start_average(self) -> None:
        """The averaged weights begin at those of the file to start from, else at the network's."""
        self.net_g_ema = copy.deepcopy(self.get_bare_model(self.net_g)).eval().requires_grad_(False)
        path = self.opt["path"]
        if path.get("pretrain_network_g"):
            strict = path.get("strict_load_g", True)
            self.load_network(self.net_g_ema, path["pretrain_network_g"], strict, "params_ema")

    def _compile(self) -> None:
        # Not in place of the network: evaluation brings images of every size, and files keep the
        # names of the weights.
        compiled = self._settings["compile"]
        self._compiled = torch.compile(self.net_g, dynamic=False) if compiled else None

    def setup_optimizers(self) -> None:
        """One optimizer for all parameters, those that are frozen at first included."""
        arguments = dict(self.opt["train"]["optim_g"])
        later = {id(parameter) for parameter in self._frozen}
        parameters = [p for p in self.net_g.parameters() if p.requires_grad or id(p) in later]
        self.optimizer_g = self.get_optimizer(arguments.pop("type"), parameters, **arguments)
        for group in self.optimizer_g.param_groups:
            group["initial_lr"] = group["lr"]
        self.optimizers.append(self.optimizer_g)

    def get_optimizer(
        self, optim_type: str, params: Sequence[nn.Parameter], lr: float, **kwargs: Any
    ) -> torch.optim.Optimizer:
        """Any optimizer of `torch.optim`; BasicSR 1.4.2 knows only Adam.

        Raises:
            ValueError: No such optimizer.
        """
        known = optimizers()
        if optim_type not in known:
            raise InputError(
                f"train:optim_g:type: received {optim_type!r}; {hint(optim_type, known)}"
            )
        return known[optim_type](params, lr=lr, **kwargs)  # type: ignore[call-arg]

    def update_learning_rate(self, current_iter: int, warmup_iter: int = -1) -> None:
        """Set the learning rate of an iteration, which depends on nothing but its number.

        Args:
            current_iter: Iteration, counted from 1.
            warmup_iter: Iterations of linear warm-up; -1 for none.
        """
        start = self._warm_start
        constant = start.iters if start is not None and start.restart_schedule else 0
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = learning_rate(
                self._schedule, group["initial_lr"], current_iter, warmup_iter, constant
            )

    def _thaw(self) -> None:
        """Train everything from now on."""
        nn.ParameterList(self._frozen).requires_grad_(True)
        self._frozen = []
        if isinstance(self.net_g, DistributedDataParallel):
            # It knows only the parameters that were trained when it was made.
            self.net_g = super().model_to_device(self.net_g.module)
        if self._compiled is not None:
            # Compiled code keeps leaving out what was frozen, and torch would find it again.
            torch.compiler.reset()
            self._compile()

    def model_ema(self, decay: float = 0.999) -> None:
        """Move the averaged weights towards the current ones."""
        update_average(self.net_g_ema, self.get_bare_model(self.net_g), decay)

    def training_state(self) -> dict[str, Any]:
        """Everything besides the weights that the next step depends on: plain values and tensors.

        The schedule, mixup and the choice of k are functions of the iteration.
        """
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [],
            "scaler": self._scaler.state_dict(),
            "skipped": self._skipped.count,
        }

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Continue from what `training_state` returned, or from a state that BasicSR wrote.

        Options are those of the file: a learning rate that was changed there counts.

        Raises:
            ValueError: It belongs to another network or optimizer.
        """
        saved = state["optimizers"]
        if len(saved) != len(self.optimizers):
            raise InputError(
                f"the training state has {len(saved)} optimizers, not {len(self.optimizers)}"
            )
        for optimizer, values in zip(self.optimizers, saved, strict=True):
            _load_moments(optimizer, values)
        if self._scaler.is_enabled() and state.get("scaler"):
            self._scaler.load_state_dict(state["scaler"])
        self._skipped.count = state.get("skipped", 0)

    def resume_training(self, resume_state: Mapping[str, Any]) -> None:
        """BasicSR's name for `load_training_state`."""
        self.load_training_state(resume_state)


def _load_moments(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load what an optimizer has gathered, but keep its options.

    Raises:
        ValueError: The state belongs to other parameters.
    """
    options = [
        {key: value for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]
    try:
        optimizer.load_state_dict(saved)
    except ValueError as error:
        raise InputError(f"the training state does not fit the network: {error}") from error
    for group, given in zip(optimizer.param_groups, options, strict=True):
        group.update(given)


def _recompute_activations(network: nn.Module) -> None:
    """Turn on the checkpointing that modules offer as an attribute `use_checkpoint`.

    Raises:
        ValueError: None of them does.
    """
    modules = [module for module in network.modules() if hasattr(module, "use_checkpoint")]
    if not modules:
        raise InputError(
            f"train:checkpointing: {type(network).__name__} has no module that can recompute its "
            "activations (an attribute use_checkpoint)"
        )
    for module in modules:
        module.use_checkpoint = True  # type: ignore[assignment]
