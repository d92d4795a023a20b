"""What Lightning drives: the loss, the optimizer and its schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.nn import functional as F

from edgelstm.train.network import ForecastNetwork
from edgelstm.train.recipe import TrainingRecipe

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}
SGD_MOMENTUM = 0.9
ONE_CYCLE_WARM_UP = 0.3

DATA = "data_sha256"  # in a checkpoint

Batch = tuple[Tensor, Tensor]


class ForecastModule(lightning.LightningModule):
    """Trains a `ForecastNetwork` on scaled targets."""

    def __init__(self, network: ForecastNetwork, training: TrainingRecipe, steps: int, data: str) -> None:
        """Take the network, the number of optimizer steps in the whole training, and the digest of its data."""
        super().__init__()
        self._data = data
        self.network = network
        self._training = training
        self._steps = steps
        self._loss = LOSSES[training.loss]

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Seed dropout at the first batch of each epoch, so that a resumed training equals an uninterrupted one.

        Not earlier: loaders draw from the same generator when they start, and a resumed one starts at another time.
        """
        if batch_index == 0:
            torch.manual_seed(self._training.seed * 1_000_003 + self.current_epoch + 1)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of one batch, in scaled units."""
        return self._log("training_loss", batch)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log the loss of one batch, in scaled units."""
        self._log("validation_loss", batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which data these weights have seen."""
        checkpoint[DATA] = self._data

    def configure_optimizers(self) -> Any:
        """Make the optimizer and a schedule that moves with every batch."""
        optimizer = _optimizer(self.network, self._training)
        schedule = _schedule(optimizer, self._training, self._steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def loss(self, batch: Batch) -> Tensor:
        """Give the loss of one batch, in scaled units."""
        x, y = batch
        z = self.network.scaled(x)
        if z.ndim > y.ndim:  # validation looks at the last step alone, as the scores do
            z = z[:, -1]
        return self._loss(z, self.network.scale_targets(x, y))

    def _log(self, name: str, batch: Batch) -> Tensor:
        loss = self.loss(batch)
        self.log(name, loss, on_step=False, on_epoch=True, batch_size=len(batch[0]))
        return loss


def _optimizer(network: ForecastNetwork, training: TrainingRecipe) -> torch.optim.Optimizer:
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    options: dict[str, Any] = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
    if training.optimizer == "sgd":
        options["momentum"] = SGD_MOMENTUM
    optimizer: torch.optim.Optimizer = kinds[training.optimizer](network.parameters(), **options)
    return optimizer


def _schedule(
    optimizer: torch.optim.Optimizer, training: TrainingRecipe, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if training.schedule == "one-cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, training.learning_rate, total_steps=steps, pct_start=ONE_CYCLE_WARM_UP
        )
    if training.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
