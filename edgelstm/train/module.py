"""What Lightning drives: the loss, the optimizer and its schedule."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.train.feeding.batches import Batch
from edgelstm.train.losses import Loss
from edgelstm.train.networks.flow import State
from edgelstm.train.networks.network import Frame, LstmNetwork

SGD_MOMENTUM = 0.9
ONE_CYCLE_WARM_UP = 0.3

DATA, SCALER = "data_sha256", "scaler"  # in a checkpoint


class LstmModule(lightning.LightningModule):
    """Trains an `LstmNetwork` on scaled targets."""

    def __init__(
        self, network: LstmNetwork, training: TrainingRecipe, training_loss: Loss, loss: Loss, steps: int, data: str
    ) -> None:
        """Take what to train and how.

        Args:
            network: is trained in place.
            training: optimizer and schedule.
            training_loss: what training makes small.
            loss: what validation looks at.
            steps: of the optimizer in the whole training.
            data: digest of what it learns from.
        """
        super().__init__()
        self.automatic_optimization = False  # whoever needs the loop itself finds it in `training_step`
        self.network = network
        self.average = (
            AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.average))  # type: ignore[no-untyped-call]
            if training.average
            else None
        )
        self._training = training
        self._training_loss, self._loss = training_loss, loss
        self._steps = steps
        self._data = data
        self._state: State | None = None
        self._sums = {"training": _Sum(), "validation": _Sum()}
        self._scaler = torch.amp.GradScaler(enabled=training.precision == "fp16")

    @property
    def judged(self) -> LstmNetwork:
        """The network whose weights are validated and kept: the averaged one, where weights are averaged."""
        return self.network if self.average is None else cast(LstmNetwork, self.average.module)

    def mean_loss(self, part: str) -> float:
        """Give the mean loss of an epoch so far, `"training"` or `"validation"`; NaN where there was none."""
        return self._sums[part].mean()

    def on_train_batch_start(self, batches: list[Batch], index: int) -> None:
        """Seed dropout at the first batch of each epoch, so that a resumed training equals an uninterrupted one.

        Not earlier: loaders draw from the same generator when they start, and a resumed one starts at another time.
        """
        if index == 0:
            torch.manual_seed(self._training.seed * 1_000_003 + self.current_epoch + 1)
            self._sums["training"], self._state = _Sum(), None

    def training_step(self, batches: list[Batch], _: int) -> None:
        """Take a step of the optimizer for each batch."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        schedule: Any = self.lr_schedulers()
        for batch in batches:
            optimizer.zero_grad()
            self._scaler.scale(self._learn(batch)).backward()  # type: ignore[no-untyped-call]
            if self._training.gradient_clip:
                self._scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(self.network.parameters(), self._training.gradient_clip)
            self._scaler.step(optimizer)
            self._scaler.update()
            if schedule is not None:
                schedule.step()
            if self.average is not None:
                self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Count anew."""
        self._sums["validation"], self._state = _Sum(), None

    def validation_step(self, batches: list[Batch], _: int) -> None:
        """Count the loss of what is judged."""
        for batch in batches:
            with self._arithmetic():
                z, frame = self._run(self.judged, batch)
                self._counted("validation", self._loss, z, frame, batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which data these weights have seen, and keep what float16 gradients are multiplied by."""
        checkpoint[DATA], checkpoint[SCALER] = self._data, self._scaler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with that."""
        self._scaler.load_state_dict(checkpoint[SCALER])

    def configure_optimizers(self) -> Any:
        """Make the optimizer and a schedule that moves with every batch."""
        optimizer = _optimizer(self.network, self._training)
        schedule = _schedule(optimizer, self._training, self._steps)
        return optimizer if schedule is None else {"optimizer": optimizer, "lr_scheduler": schedule}

    def _learn(self, batch: Batch) -> Tensor:
        with self._arithmetic():
            z, frame = self._run(self.network, batch)
            return self._counted("training", self._training_loss, z, frame, batch)

    def _run(self, network: LstmNetwork, batch: Batch) -> tuple[Tensor, Frame]:
        """Answer a batch; rows that go on with a series begin with the state of the chunk before."""
        z, frame, state = network.run(batch.x, batch.lengths, batch.time_s, self._state_of(batch))
        self._state = state if batch.fresh is not None else None
        return z, frame

    def _arithmetic(self) -> AbstractContextManager[Any]:
        if self._training.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.float16 if self._training.precision == "fp16" else torch.bfloat16)

    def _state_of(self, batch: Batch) -> State | None:
        """The state of the rows that go on, and zeros for those that begin; where there are more, all do."""
        rows = len(batch.x)
        if batch.fresh is None or self._state is None or rows > self._state[0][0].shape[1]:
            return None
        goes_on = ~batch.fresh[:, None]
        return tuple((h[:, :rows] * goes_on, c[:, :rows] * goes_on) for h, c in self._state)

    def _counted(self, part: str, loss: Loss, z: Tensor, frame: Frame, batch: Batch) -> Tensor:
        """Give a loss, and count it by how much truth it is of."""
        known: Tensor | int = len(batch.y)
        if batch.y.is_floating_point():
            truth = self.network.scale_targets(batch.y, frame)
            if batch.spread is not None:
                z, truth = self.network.in_spreads(z, truth, frame, batch.spread)
            if batch.fresh is not None or part == "validation":
                known = (~truth.isnan()).sum()
        else:
            z, truth = z.squeeze(-2), batch.y
            if batch.fresh is not None:
                known = (truth >= 0).sum()
        found = loss(z.float(), truth)
        self._sums[part].add(found.detach(), known)
        return found


class _Sum:
    """A weighted mean that grows; looks at the numbers only in the end, so that a GPU need not be waited for."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._weights: list[Tensor | int] = []

    def add(self, loss: Tensor, weight: Tensor | int) -> None:
        self._losses.append(loss)
        self._weights.append(weight)

    def mean(self) -> float:
        if not self._losses:
            return float("nan")
        losses = torch.stack(self._losses).double().cpu()
        weights = torch.stack([torch.as_tensor(weight).cpu() for weight in self._weights]).double()
        return float((losses * weights).sum() / weights.sum())


def _optimizer(network: LstmNetwork, training: TrainingRecipe) -> torch.optim.Optimizer:
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    options: dict[str, Any] = {"lr": training.learning_rate, "weight_decay": training.weight_decay, "fused": True}
    if training.optimizer == "sgd":
        options["momentum"] = SGD_MOMENTUM
    optimizer: torch.optim.Optimizer = kinds[training.optimizer](network.parameters(), **options)
    return optimizer


def _schedule(
    optimizer: torch.optim.Optimizer, training: TrainingRecipe, steps: int
) -> torch.optim.lr_scheduler.LRScheduler | None:
    if training.schedule == "one-cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, training.learning_rate, total_steps=steps, pct_start=ONE_CYCLE_WARM_UP
        )
    if training.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    return None
