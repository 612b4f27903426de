"""Training against a discriminator, for results that look sharp: ESRGAN and Real-ESRGAN.

X. Wang et al., ESRGAN, arXiv 1809.00219 (relativistic loss), and Real-ESRGAN, arXiv 2107.10833
(plain loss, a U-Net as discriminator). The network is trained, evaluated, saved and resumed as
`RestorationModel` does; this class adds the second network. BasicSR's `ESRGANModel` and
`SRGANModel` run in our loop too, and resume exactly, but know neither protocols, padding nor
precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from semanir_arch import host
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.utils.checkpoint import check_fit, load_checkpoint
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Option

__all__ = ["AdversarialModel"]

_NEEDED = "network_d", "train:optim_d", "train:gan_opt"


class AdversarialModel(RestorationModel):
    """Trains a network and a discriminator in turn, one step each per iteration.

    The discriminator gets gradients of its own losses only, in float32, and the schedule of the
    network. A step that is not finite changes neither of the two.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        **RestorationModel.OPTIONS,
        "network_d": Option(
            dict, default=None, help="type and constructor arguments of the discriminator"
        ),
        "train.optim_d": Option(dict, default=None, help="type and arguments of its optimizer"),
        "train.gan_opt": Option(
            dict, default=None, help="type and arguments of the adversarial loss: BasicSR's GANLoss"
        ),
        "train.relativistic": Option(
            bool,
            default=True,
            help="compare real with restored images, as ESRGAN; false judges each, as Real-ESRGAN",
        ),
        "path.pretrain_network_d": Option(
            str, default=None, help="weights of the discriminator to start from; null for random"
        ),
        "path.param_key_d": Option(str, default="params", help="which weights of that file"),
        "path.strict_load_d": Option(
            bool, default=True, help="must be true: all weights of that file must fit"
        ),
    }

    net_d: Any

    def init_training_settings(self) -> None:
        """Everything of the network, then the discriminator, its loss and its optimizer.

        Raises:
            ValueError: The option file lacks one of them.
        """
        train = self.opt["train"]
        given = self.opt.get("network_d"), train.get("optim_d"), train.get("gan_opt")
        missing = [name for name, block in zip(_NEEDED, given, strict=True) if not block]
        if missing:
            raise InputError(f"AdversarialModel needs {', '.join(missing)} in the option file")
        super().init_training_settings()
        self._relativistic = train.get("relativistic", True)
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._adversarial = host.load("basicsr.losses").build_loss(dict(train["gan_opt"]))
        self._adversarial = self._adversarial.to(self.device)
        network = host.load("basicsr.archs").build_network(dict(self.opt["network_d"]))
        self._load_discriminator(network)
        # past our own layout, which is that of the network
        self.net_d = super(RestorationModel, self).model_to_device(network)
        self.net_d.train()
        self.print_network(self.net_d)
        arguments = dict(train["optim_d"])
        self.optimizer_d = self.get_optimizer(
            arguments.pop("type"), list(self.net_d.parameters()), **arguments
        )
        for group in self.optimizer_d.param_groups:
            group["initial_lr"] = group["lr"]
        self.optimizers.append(self.optimizer_d)

    def _load_discriminator(self, network: nn.Module) -> None:
        path = self.opt["path"]
        if not path.get("strict_load_d", True):
            raise InputError("path:strict_load_d: received false; a discriminator is loaded whole")
        if path.get("pretrain_network_d"):
            key = path.get("param_key_d", "params")
            checkpoint = load_checkpoint(path["pretrain_network_d"], key)
            check_fit(network, checkpoint)
            network.load_state_dict(checkpoint.params)

    def save(self, epoch: int, current_iter: int) -> None:
        """Write both networks.

        Args:
            epoch: Passes over the data.
            current_iter: Iteration in the files' names; -1 for "latest".
        """
        super().save(epoch, current_iter)
        self.save_network(self.net_d, "net_d", current_iter)

    def optimize_parameters(self, current_iter: int) -> None:
        """One step of the network, and one of the discriminator on the same images.

        Args:
            current_iter: Iteration, counted from 1.

        Raises:
            NonFiniteError: Too many steps had no finite loss or gradient.
        """
        self._pairs = []
        with self._discriminator_at_rest():
            super().optimize_parameters(current_iter)
        if all(map(math.isfinite, self.log_dict.values())):
            self._discriminate()

    def _losses(self, output: Tensor, target: Tensor, share: float) -> dict[str, Tensor]:
        """Losses of the network, that of the discriminator's opinion included."""
        self._pairs.append((output.detach(), target))
        losses = super()._losses(output, target, share)
        fake = self.net_d(output)
        if self._relativistic:
            with torch.no_grad():
                real = self.net_d(target)
            both = [
                self._adversarial(real - fake.mean(), False, is_disc=False),
                self._adversarial(fake - real.mean(), True, is_disc=False),
            ]
            losses["l_gan"] = share * torch.stack(both).mean()
        else:
            losses["l_gan"] = share * self._adversarial(fake, True, is_disc=False)
        return losses

    @contextmanager
    def _discriminator_at_rest(self) -> Iterator[None]:
        """Freeze the discriminator; after a step that is not finite it is as before."""
        bare = self.get_bare_model(self.net_d)
        buffers = [(buffer, buffer.clone()) for buffer in bare.buffers()]
        bare.requires_grad_(False)
        try:
            yield
        finally:
            bare.requires_grad_(True)
        if not all(map(math.isfinite, self.log_dict.values())):
            for buffer, before in buffers:
                buffer.copy_(before)

    def _discriminate(self) -> None:
        """Teach the discriminator to tell clean images from restored ones."""
        self.optimizer_d.zero_grad(set_to_none=True)
        total = sum(len(target) for _, target in self._pairs)
        logged: dict[str, Tensor] = {}
        for output, target in self._pairs:
            share = len(target) / total
            for name, value in self._judge(output, target, share).items():
                logged[name] = logged.get(name, torch.zeros_like(value)) + value.detach()
        gradients = [p.grad for p in self.net_d.parameters() if p.grad is not None]
        logged["grad_norm_d"] = nn.utils.get_total_norm(gradients)
        means = self._mean_over_processes(logged)
        self.log_dict = {**self.log_dict, **means}
        if all(map(math.isfinite, means.values())):
            self.optimizer_d.step()

    def _judge(self, output: Tensor, target: Tensor, share: float) -> Mapping[str, Tensor]:
        """Losses on one part of the batch, whose gradients are added up."""
        real, fake = self.net_d(target), self.net_d(output)
        if self._relativistic:
            # the other side is a fixed yardstick, as in BasicSR, and the losses are two views of
            # one comparison
            loss_real = self._adversarial(real - fake.detach().mean(), True, is_disc=True) / 2
            loss_fake = self._adversarial(fake - real.detach().mean(), False, is_disc=True) / 2
        else:
            loss_real = self._adversarial(real, True, is_disc=True)
            loss_fake = self._adversarial(fake, False, is_disc=True)
        losses = {"l_d_real": share * loss_real, "l_d_fake": share * loss_fake}
        torch.stack(list(losses.values())).sum().backward()
        return {**losses, "out_d_real": share * real.mean(), "out_d_fake": share * fake.mean()}
