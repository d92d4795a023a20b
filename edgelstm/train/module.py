"""What Lightning drives: the loss, the optimizer and its schedule."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from edgelstm.train.batches import Batch
from edgelstm.train.losses import Loss
from edgelstm.train.network import LstmNetwork, State
from edgelstm.train.recipe import TrainingRecipe

SGD_MOMENTUM = 0.9
ONE_CYCLE_WARM_UP = 0.3

DATA = "data_sha256"  # in a checkpoint


class LstmModule(lightning.LightningModule):
    """Trains an `LstmNetwork` on scaled targets."""

    def __init__(
        self, network: LstmNetwork, training: TrainingRecipe, training_loss: Loss, loss: Loss, steps: int, data: str
    ) -> None:
        """Take what to train and how.

        Args:
            network: is trained in place.
            training: optimizer and schedule.
            training_loss, loss: what training makes small, and what validation looks at.
            steps: of the optimizer in the whole training.
            data: digest of what it learns from.
        """
        super().__init__()
        self.network = network
        self._training = training
        self._training_loss, self._loss = training_loss, loss
        self._steps = steps
        self._data = data
        self._state: State | None = None
        self._sums = {"training": _Sum(), "validation": _Sum()}

    def mean_loss(self, part: str) -> float:
        """Give the mean loss of an epoch so far, `"training"` or `"validation"`; NaN where there was none."""
        return self._sums[part].mean()

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Seed dropout at the first batch of each epoch, so that a resumed training equals an uninterrupted one.

        Not earlier: loaders draw from the same generator when they start, and a resumed one starts at another time.
        """
        if batch_index == 0:
            torch.manual_seed(self._training.seed * 1_000_003 + self.current_epoch + 1)
            self._sums["training"], self._state = _Sum(), None

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of one batch; rows that go on with a series begin with the state of the chunk before."""
        z, frame, state = self.network.run(batch.x, batch.lengths, batch.time_s, self._state_of(batch))
        self._state = state if batch.fresh is not None else None
        return self._counted("training", self._training_loss, z, frame, batch)

    def on_validation_epoch_start(self) -> None:
        """Count anew."""
        self._sums["validation"] = _Sum()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Count the loss of one batch."""
        z, frame, _ = self.network.run(batch.x, batch.lengths, batch.time_s)
        self._counted("validation", self._loss, z, frame, batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which data these weights have seen."""
        checkpoint[DATA] = self._data

    def configure_optimizers(self) -> Any:
        """Make the optimizer and a schedule that moves with every batch."""
        optimizer = _optimizer(self.network, self._training)
        schedule = _schedule(optimizer, self._training, self._steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _state_of(self, batch: Batch) -> State | None:
        """The state of the rows that go on, and zeros for those that begin."""
        if batch.fresh is None or self._state is None:
            return None
        rows, goes_on = len(batch.x), ~batch.fresh[:, None]
        return tuple((h[:, :rows] * goes_on, c[:, :rows] * goes_on) for h, c in self._state)

    def _counted(self, part: str, loss: Loss, z: Tensor, frame: Any, batch: Batch) -> Tensor:
        if batch.y.is_floating_point():
            truth = self.network.scale_targets(batch.y, frame)
            known = (~truth.isnan()).any(-1).any(-1).sum() if batch.fresh is not None else len(truth)
        else:
            z, truth = z.squeeze(-2), batch.y
            known = (truth >= 0).sum() if batch.fresh is not None else len(truth)
        found = loss(z, truth)
        self._sums[part].add(found.detach(), known)
        return found


class _Sum:
    """A weighted mean that grows; looks at the numbers only in the end, so that a GPU need not be waited for."""

    def __init__(self) -> None:
        self._total: Tensor | float = 0.0
        self._weight: Tensor | int = 0

    def add(self, loss: Tensor, weight: Tensor | int) -> None:
        self._total = self._total + loss.double() * weight
        self._weight = self._weight + weight

    def mean(self) -> float:
        weight = float(self._weight)
        return float(self._total) / weight if weight else float("nan")


def _optimizer(network: LstmNetwork, training: TrainingRecipe) -> torch.optim.Optimizer:
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
