"""The loop: Lightning runs the epochs, the callbacks around it keep and save."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from edgelstm.errors import TrainingError
from edgelstm.recipe.sections import TrainingRecipe, seconds_of
from edgelstm.train.callbacks import (
    BestWeights,
    SaveEveryEpoch,
    ShowProgress,
    StopEarly,
    StopInTime,
    StopOnInterrupt,
)
from edgelstm.train.feeding.feed import feed_of
from edgelstm.train.label_start import settle_share
from edgelstm.train.losses import losses_of
from edgelstm.train.module import DATA, SCALER, LstmModule
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.problem import Problem

GAINS = (1.0, 0.75, 0.5, 0.25)  # of what an LSTM says beside its start; none at all is epoch 0


@dataclass(frozen=True)
class Trained:
    """What the loop gives.

    Attributes:
        weights: of the best epoch, by name in the network.
        history: (training loss, validation loss) of each epoch, NaN without validation.
        best_epoch: from 1; 0: no epoch was better than what a fine-tuning, or a network with a start, began with.
        interrupted: somebody pressed Ctrl-C.
        seconds: spent in this loop, not counting what a resumed training had spent before.
        gain: what the LSTM's answer was multiplied by, where there is a start.
        out_of_time: the time limit ended it.
    """

    weights: dict[str, Tensor]
    history: tuple[tuple[float, float], ...]
    best_epoch: int
    interrupted: bool
    seconds: float
    gain: float = 1.0
    out_of_time: bool = False


def run_loop(
    network: LstmNetwork,
    problem: Problem,
    training: TrainingRecipe,
    checkpoint: Path,
    progress: bool,
    *,
    fine_tuning: bool = False,
) -> Trained:
    """Train until the last epoch, the patience or Ctrl-C ends it.

    Args:
        network: is trained in place; the best weights are in the result.
        problem: gives the training and validation windows.
        training: how to train.
        checkpoint: written after each epoch; if it is there already, training goes on from it.
        progress: tell on stderr how it goes.
        fine_tuning: the network has been trained: its weights are kept as epoch 0 unless an epoch is better.

    Raises:
        TrainingError: the loss is no longer a number, or the checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C before the first epoch had ended, or pressed twice.
    """
    feed = feed_of(problem, training, network.shape.every_step)
    best, interrupt = BestWeights(), StopOnInterrupt()
    limit = StopInTime(math.inf if training.time_limit is None else seconds_of(training.time_limit))
    callbacks: list[lightning.Callback] = [best, interrupt, limit]
    if progress:
        callbacks.append(ShowProgress(best, feed.samples, feed.unit))
    if training.patience is not None and feed.validation is not None:
        callbacks.append(StopEarly(best, training.patience))
    callbacks.append(SaveEveryEpoch(checkpoint))
    start_s = time.perf_counter()
    with _quiet(), _threads(training.threads):
        trainer = lightning.Trainer(
            max_epochs=training.epochs,
            devices=1,
            # Not Apple's: it lacks float64, in which losses are summed up and a calendar is computed.
            accelerator="cuda" if torch.cuda.is_available() else "cpu",
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=checkpoint.parent,
        )
        data = _digest(problem, network if fine_tuning else None)
        losses = losses_of(problem, training, network.shape.every_step, network.output_scale)
        module = LstmModule(network, training, *losses, feed.steps, data)
        if fine_tuning or network.shape.highway:
            best.begin_with(network, _validate(module, feed.validation))
        resume = checkpoint if checkpoint.is_file() else None
        if resume is not None:  # Lightning fetches the first batches before it tells the epoch
            feed.training.sampler.set_epoch(_next_epoch(resume, data))
        try:
            with interrupt.listening():
                trainer.fit(module, feed.training, feed.validation, ckpt_path=resume, weights_only=True)
        except SystemExit as error:  # Lightning's answer to a second Ctrl-C
            raise KeyboardInterrupt from error
        if not best.weights:
            raise KeyboardInterrupt
        gain, weights = 1.0, best.weights
        if network.shape.highway and not fine_tuning and best.best_epoch and feed.validation is not None:
            of_classes = network.shape.classes
            gain, weights = (
                _confirmed(network, weights, problem) if of_classes else _best_gain(module, weights, feed.validation)
            )
    return Trained(
        weights,
        tuple(best.history),
        best.best_epoch if gain else 0,
        interrupt.interrupted,
        time.perf_counter() - start_s,
        gain,
        limit.stopped,
    )


def _best_gain(module: LstmModule, weights: dict[str, Tensor], loader: Any) -> tuple[float, dict[str, Tensor]]:
    """Say less than the LSTM does beside its start, where validation likes that better.

    What it learned in a few epochs is often right in its direction and too far: on PM2.5 of Beijing three quarters of
    it were best with each seed.
    """
    module.average, network = None, module.network
    found: list[tuple[float, float, dict[str, Tensor]]] = []
    for gain in GAINS:
        scaled = {name: gain * tensor if name.startswith("head.") else tensor for name, tensor in weights.items()}
        network.load_state_dict(scaled)
        found.append((_validate(module, loader), gain, scaled))
    _, gain, scaled = min(found, key=lambda one: one[0])
    return gain, scaled


def _confirmed(network: LstmNetwork, weights: dict[str, Tensor], problem: Problem) -> tuple[float, dict[str, Tensor]]:
    """Of classes say what validation confirms; nothing is epoch 0."""
    network.load_state_dict(weights)
    share = settle_share(network, problem)
    return share, {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _validate(module: LstmModule, loader: Any) -> float:
    """Validate once, before the first epoch: NaN without validation data."""
    if loader is None:
        return math.nan
    module.judged.eval()
    module.on_validation_epoch_start()
    with torch.no_grad():
        for batches in loader:
            module.validation_step(batches, 0)
    module.judged.train()
    return module.mean_loss("validation")


def _digest(problem: Problem, begun_with: LstmNetwork | None) -> str:
    """Hash what the weights and their choice depend on: the rows of training and validation, the first weights."""
    hasher = hashlib.sha256()
    for tensor in begun_with.state_dict().values() if begun_with else ():
        hasher.update(tensor.numpy().tobytes())
    for examples in filter(None, (problem.training, problem.validation)):
        for name in ("x_rows", "x_starts", "y_rows", "y_starts", "starts", "lengths", "targets", "times"):
            rows = getattr(examples, name, None)
            hasher.update(b"" if rows is None else rows.tobytes())
    return hasher.hexdigest()


def _next_epoch(checkpoint: Path, data: str) -> int:
    """See that torch can read a checkpoint before Lightning stumbles over it, and that it is of the same data.

    Returns:
        The epoch it goes on with, from 0.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        content["state_dict"], content["callbacks"], content["loops"], content[SCALER]
        epoch, recorded = int(content["epoch"]), content[DATA]
    except Exception as error:  # torch raises whatever it happens to meet
        raise TrainingError(
            f"{checkpoint}: cannot be resumed from, it is damaged; train from the start with --overwrite"
        ) from error
    if recorded != data:
        raise TrainingError(
            f"{checkpoint}: this training was begun on other data, or with other weights; bring them back, or train "
            "from the start with --overwrite"
        )
    return epoch + 1


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Give torch so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's tips, hardware listings and advice about workers out of people's terminals."""
    for name in ("pytorch_lightning", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Windows are gathered from memory: workers would only copy them about.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*number of training batches.*logging interval.*")
        # A training without validation data is nothing to warn of.
        warnings.filterwarnings("ignore", message=".*no `val_dataloader`.*")
        # Lightning's own use of a torch function that torch is giving up.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
        yield
