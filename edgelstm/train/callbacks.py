"""What happens beside the loop: keeping the best weights, saving, stopping, telling."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as lightning
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgelstm.errors import OutputError, TrainingError

PLAIN_LINES = 10  # how often a training without a terminal says where it is


def _epoch_is_whole(trainer: lightning.Trainer) -> bool:
    """Whether the epoch that ends has seen every batch: Ctrl-C ends one early, and that one does not count."""
    return bool(trainer.fit_loop.epoch_loop.batch_progress.is_last_batch)


class BestWeights(lightning.Callback):
    """Keeps the weights of the epoch with the best validation loss; without validation, of the last epoch.

    Attributes:
        history: (training loss, validation loss) of each epoch, NaN where there is none.
        best_epoch: from 1; 0 before the first epoch has ended, and where none was better than the beginning.
        weights: of the best epoch, by name.
    """

    def __init__(self) -> None:
        self.history: list[tuple[float, float]] = []
        self.best_epoch = 0
        self.weights: dict[str, torch.Tensor] = {}
        self._best = math.inf

    def begin_with(self, network: torch.nn.Module, validation: float) -> None:
        """Keep the weights that a fine-tuning begins with, as epoch 0, until an epoch is better.

        Args:
            network: holds them.
            validation: their loss; NaN without validation data, and then any epoch is better.
        """
        self.weights = _copied(network)
        self._best = math.inf if math.isnan(validation) else validation

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Compare; validation has already run when this is called."""
        if not _epoch_is_whole(trainer):
            return
        training, validation = module.mean_loss("training"), module.mean_loss("validation")
        validated = trainer.val_dataloaders is not None
        self.history.append((training, validation))
        if not math.isfinite(training) or (validated and not math.isfinite(validation)):
            raise TrainingError(
                f"in epoch {len(self.history)} the loss became {training} in training and {validation} in validation: "
                "lower --learning-rate, or the largest gradient, --gradient-clip"
            )
        if not validated or validation < self._best:
            self._best = validation
            self.best_epoch = len(self.history)
            self.weights = _copied(module.judged)

    def state_dict(self) -> dict[str, Any]:
        """Travel in the checkpoint."""
        return {
            "history": self.history,
            "best_epoch": self.best_epoch,
            "weights": self.weights,
            "best": self._best,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Come back from the checkpoint."""
        self.history = [(float(a), float(b)) for a, b in state_dict["history"]]
        self.best_epoch, self.weights = state_dict["best_epoch"], state_dict["weights"]
        self._best = state_dict["best"]


def _copied(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone().cpu() for name, tensor in network.state_dict().items()}


class StopEarly(lightning.Callback):
    """Stops after `patience` epochs without a better validation loss, and stays stopped when it is resumed.

    It counts what `BestWeights` keeps: Lightning runs its own EarlyStopping after all other callbacks, so that a
    checkpoint never knew of the epoch that had just ended.
    """

    def __init__(self, best: BestWeights, patience: int) -> None:
        self._best = best
        self._patience = patience

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Stop at once if the checkpoint is of the last epoch."""
        self._check(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Stop if it is time."""
        self._check(trainer)

    def _check(self, trainer: lightning.Trainer) -> None:
        if len(self._best.history) - self._best.best_epoch >= self._patience:
            trainer.should_stop = True


class StopInTime(lightning.Callback):
    """Stops before an epoch that would end behind the limit, if it takes as long as the one before.

    Attributes:
        stopped: whether that has happened.
    """

    def __init__(self, limit_s: float) -> None:
        self.stopped = False
        self._limit_s = limit_s
        self._start_s = self._epoch_s = 0.0

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Look at the clock."""
        self._start_s = self._epoch_s = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Stop if it is time."""
        now = time.perf_counter()
        last = trainer.current_epoch + 1 >= (trainer.max_epochs or 1)
        if not last and now + (now - self._epoch_s) - self._start_s > self._limit_s:
            self.stopped = trainer.should_stop = True
        self._epoch_s = now


class SaveEveryEpoch(lightning.Callback):
    """Writes the resume checkpoint after each epoch, whole or not at all; must come last."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Write beside, then move in."""
        if not _epoch_is_whole(trainer):
            return
        temporary = self._path.with_suffix(".part")
        try:
            trainer.save_checkpoint(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except OSError as error:
            temporary.unlink(missing_ok=True)  # what a full disk took of it would stay
            kept = "--resume goes on behind the epoch before" if self._path.exists() else "nothing was kept"
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}; {kept}") from error


class StopOnInterrupt(lightning.Callback):
    """Ends the training soon when Ctrl-C is pressed; a second one ends the program.

    Attributes:
        interrupted: whether that has happened.
    """

    def __init__(self) -> None:
        self.interrupted = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take over SIGINT, and give it back: Lightning puts handlers of its own in and out in between."""
        if threading.current_thread() is not threading.main_thread():  # whoever owns the signal gets it
            yield
            return
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Ask Lightning to stop."""
        if self.interrupted:
            trainer.should_stop = True

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print("\nstopping soon; press Ctrl-C again to give up at once", file=sys.stderr)


class ShowProgress(lightning.Callback):
    """Shows epochs, losses and speed: a bar on a terminal, about ten plain lines elsewhere."""

    def __init__(self, best: BestWeights, samples: int, unit: str) -> None:
        """Take what an epoch goes over: so many of `unit`, `"windows"`, `"sequences"` or `"steps"`."""
        self._best = best
        self._samples, self._unit = samples, unit
        self._bar: Progress | None = None
        self._start_s = 0.0
        self._started_at = 0

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Begin; a resumed training begins where it was."""
        self._start_s, self._started_at = time.perf_counter(), trainer.current_epoch
        console = Console(stderr=True)
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("epoch"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
                console=console,
            )
            self._bar.start()
            self._bar.add_task("", total=trainer.max_epochs, completed=trainer.current_epoch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Tell about the epoch that has ended."""
        if not _epoch_is_whole(trainer):
            return
        epoch, last = trainer.current_epoch + 1, trainer.max_epochs or 1
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=epoch, description=self._words(epoch))
        elif epoch % max(1, last // PLAIN_LINES) == 0 or epoch == last or epoch == 1:
            print(f"epoch {epoch}/{last}  {self._words(epoch)}", file=sys.stderr, flush=True)

    def teardown(self, trainer: lightning.Trainer, module: Any, stage: str) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_exception(self, trainer: lightning.Trainer, module: Any, exception: BaseException) -> None:
        """Leave the terminal as it was when things end badly, too."""
        self.teardown(trainer, module, "fit")

    def _words(self, epoch: int) -> str:
        training, validation = self._best.history[-1]
        rate = self._samples * (epoch - self._started_at) / (time.perf_counter() - self._start_s)
        shown = "" if math.isnan(validation) else f"  validation {validation:.4g} (best: epoch {self._best.best_epoch})"
        return f"loss {training:.4g}{shown}  {rate:,.0f} {self._unit}/s"
