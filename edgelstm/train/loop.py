"""The training loop, top to bottom. Fabric provides only the device, its arithmetic and the other processes."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from edgelstm.recipe.sections import TrainingRecipe, seconds_of
from edgelstm.train import checkpoint as checkpoints
from edgelstm.train.best import Best, beginning, with_epoch
from edgelstm.train.devices import fabric_of
from edgelstm.train.feeding.batches import Batch, Loader, Share
from edgelstm.train.feeding.feed import feed_of
from edgelstm.train.interrupt import Interrupt
from edgelstm.train.label_start import settle_share
from edgelstm.train.losses import Loss, losses_of
from edgelstm.train.networks.flow import State
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.optimizers import average_of, optimizer_of, schedule_of
from edgelstm.train.problem import Problem
from edgelstm.train.progress import telling
from edgelstm.train.ranks import in_ranks, processes_of

GAINS = (1.0, 0.75, 0.5, 0.25)  # weights of the LSTM's correction to its start; weight 0 is epoch 0


@dataclass(frozen=True)
class Trained:
    """The result of the loop.

    Attributes:
        weights: of the best epoch, by name in the network.
        history: (training loss, validation loss) of each epoch, NaN without validation.
        best_epoch: from 1; 0: no epoch was better than the initial weights of a fine-tuning or of a start.
        interrupted: Ctrl-C ended it.
        seconds: in this loop, without the time of a training before it was resumed.
        gain: factor on the LSTM's answer, if there is a start.
        out_of_time: the time limit ended it.
    """

    weights: dict[str, Tensor]
    history: tuple[tuple[float, float], ...]
    best_epoch: int
    interrupted: bool
    seconds: float
    gain: float = 1.0
    out_of_time: bool = False


@dataclass(frozen=True)
class Job:
    """What to train and how, see `run_loop`."""

    network: LstmNetwork
    problem: Problem
    training: TrainingRecipe
    checkpoint: Path
    progress: bool
    fine_tuning: bool

    @property
    def digest(self) -> str:
        """Digest of the training data and initial weights; the network must be on the CPU, not yet trained."""
        return checkpoints.digest(self.problem, self.network if self.fine_tuning else None)

    @property
    def begins(self) -> bool:
        """Whether the weights before the first epoch, those of epoch 0, may be the best."""
        return self.fine_tuning or bool(self.network.plan.network.highway)


class Learned(NamedTuple):
    """The best epoch, and what ended the training."""

    best: Best
    interrupted: bool = False
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
    """Train until the last epoch, the patience, the time limit or Ctrl-C ends it.

    Args:
        network: is trained in place, and is on the CPU afterwards; the best weights are in the result.
        problem: gives the training and validation windows.
        training: how to train, and in how many processes.
        checkpoint: written after each epoch; if it exists, training resumes from it.
        progress: show progress on stderr.
        fine_tuning: the network is already trained: its weights are kept as epoch 0 unless an epoch is better.

    Raises:
        TrainingError: the loss is no longer a number, the checkpoint is damaged, or a process has failed.
        KeyboardInterrupt: Ctrl-C before the first epoch had ended, or pressed twice.
    """
    start_s = time.perf_counter()
    job = Job(network, problem, training, checkpoint, progress, fine_tuning)
    with threads(training.threads):
        best, interrupted, out_of_time = train(job) if processes_of(training) == 1 else _train_in_ranks(job)
        if not best.weights:
            raise KeyboardInterrupt
        gain, weights = _settled(job, best)
    network.cpu()
    seconds = time.perf_counter() - start_s
    return Trained(weights, best.history, best.epoch if gain else 0, interrupted, seconds, gain, out_of_time)


def train(job: Job) -> Learned:
    """Train epoch after epoch; if several processes train together, each of them runs this."""
    training, data, fabric = job.training, job.digest, fabric_of(job.training)
    share = Share(fabric.global_rank, fabric.world_size)
    feed = feed_of(job.problem, training, job.network.plan.every_step, share)
    trainer = trainer_of(job, fabric, feed.steps)
    kept = checkpoints.load(job.checkpoint, data) if fabric.is_global_zero and job.checkpoint.is_file() else None
    best, interrupt, out_of_time = _began(job, trainer, feed.validation, kept), Interrupt(), False
    limit_s = math.inf if training.time_limit is None else seconds_of(training.time_limit)
    shown = job.progress and fabric.is_global_zero

    start_s = epoch_s = time.perf_counter()
    with interrupt.listening(), telling(feed, training.epochs, len(best.history), shown) as tell:
        for epoch in range(len(best.history), training.epochs):
            if feed.validation is not None and len(best.history) - best.epoch >= (training.patience or math.inf):
                break
            # Seeded in each epoch, so that a resumed training draws the same dropout as an uninterrupted one.
            torch.manual_seed(training.seed * 1_000_003 + epoch + 1 + (share.rank << 52))
            loss = learn(trainer, feed.training.of_epoch(epoch), interrupt)
            if loss is None:
                break
            validation = None if feed.validation is None else trainer.validated(feed.validation)
            best = with_epoch(best, loss, validation, trainer.judged)
            tell(best)
            if fabric.is_global_zero:
                state = {name: part.state_dict() for name, part in trainer.parts.items()}
                checkpoints.save(job.checkpoint, {**state, "best": best._asdict()}, data)
            now_s = time.perf_counter()
            expected_s, epoch_s = 2 * now_s - epoch_s - start_s, now_s  # if the next epoch takes as long
            out_of_time = epoch + 1 < training.epochs and fabric.broadcast(expected_s > limit_s)
            if out_of_time:
                break
    return Learned(best, interrupt.pressed, out_of_time)


def learn(trainer: Trainer, batches: Iterator[Batch], interrupt: Interrupt) -> float | None:
    """Take an optimizer step for each batch of an epoch; give the mean loss, or None if Ctrl-C ended it."""
    losses, state = _Losses(), None
    for batch in batches:
        if interrupt.pressed:
            return None
        found = step(trainer, batch, state)
        losses.add(found)
        state = found.state
    return losses.mean(trainer.fabric)


def step(trainer: Trainer, batch: Batch, state: State | None) -> Look:
    """Learn from one batch."""
    fabric, optimizer, clip = trainer.fabric, trainer.optimizer, trainer.training.gradient_clip
    optimizer.zero_grad()
    found = look(fabric, trainer.network, trainer.losses[0], batch, state, run=trainer.run)
    fabric.backward(found.loss if fabric.world_size == 1 else found.loss * _weight(fabric, found.known))
    if clip:
        # Fabric's own wrapper unwraps model and optimizer first, which takes a tenth of a small network's step.
        fabric.strategy.clip_gradients_norm(trainer.network, optimizer.optimizer, clip, error_if_nonfinite=False)
    optimizer.step()
    if trainer.schedule is not None:
        trainer.schedule.step()
    if trainer.average is not None:
        trainer.average.update_parameters(trainer.network)
    return found


@torch.inference_mode()
def validate(fabric: Fabric, network: LstmNetwork, loss: Loss, loader: Loader) -> float:
    """Give the mean loss over all batches of a loader."""
    losses, state = _Losses(), None
    network.eval()
    for batch in loader.of_epoch(0):
        found = look(fabric, network, loss, batch, state, counted=True)
        losses.add(found)
        state = found.state
    network.train()
    return losses.mean(fabric)


class Look(NamedTuple):
    """The result of one batch.

    Attributes:
        loss: float32 [].
        known: number of known targets in it.
        state: of the series after it; None if no state is carried.
    """

    loss: Tensor
    known: Tensor | int
    state: State | None


def look(
    fabric: Fabric,
    network: LstmNetwork,
    loss: Loss,
    batch: Batch,
    state: State | None,
    *,
    run: Any = None,
    counted: bool = False,
) -> Look:
    """Answer a batch, and compute the loss of the answer.

    Args:
        fabric: gives the device and the arithmetic.
        network: to run.
        loss: of an answer and its target, both in scaled units.
        batch: of examples.
        state: after the batch before; rows that continue their series start from it.
        run: the network's `run`, wrapped to join the gradients of several processes; None: not wrapped.
        counted: targets of windows may be unknown, so count the known ones.
    """
    batch, carried = batch.to(fabric.device), batch.fresh is not None
    counted = counted or carried or fabric.world_size > 1
    with fabric.autocast():
        z, frame, after = (run or network.run)(batch.x, batch.lengths, batch.time_s, state_of(batch, state))
        if batch.y.is_floating_point():
            truth = network.scale_targets(batch.y, frame)
            if batch.spread is not None:
                z, truth = network.in_spreads(z, truth, frame, batch.spread)
            known = (~truth.isnan()).sum() if counted else len(truth)
        else:
            z, truth = z.squeeze(-2), batch.y
            known = (truth >= 0).sum() if counted else len(truth)
        return Look(loss(z.float(), truth), known, after if carried else None)


def state_of(batch: Batch, state: State | None) -> State | None:
    """Give the state of rows that continue, zeros for rows that start; None if there are more rows than before."""
    rows = len(batch.x)
    if batch.fresh is None or state is None or rows > state[0][0].shape[1]:
        return None
    goes_on = ~batch.fresh[:, None]
    return tuple((h[:, :rows] * goes_on, c[:, :rows] * goes_on) for h, c in state)


class _Losses:
    """A running weighted mean; reads the numbers only at the end, to avoid waiting for a GPU."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._weights: list[Tensor | int] = []

    def add(self, found: Look) -> None:
        self._losses.append(found.loss.detach())
        self._weights.append(found.known)

    def mean(self, fabric: Fabric) -> float:
        """Give the mean over all processes."""
        sums = torch.zeros(2, dtype=torch.float64)
        if self._losses:  # a process may have had nothing to validate
            losses = torch.stack(self._losses).double().cpu()
            weights = torch.stack([torch.as_tensor(weight).cpu() for weight in self._weights]).double()
            sums = torch.stack([(losses * weights).sum(), weights.sum()])
        if fabric.world_size > 1:
            sums = cast(Tensor, fabric.all_reduce(sums.to(fabric.device), reduce_op="sum")).cpu()
        return float(sums[0] / sums[1])


def _weight(fabric: Fabric, known: Tensor | int) -> Tensor:
    """Give the weight of a process's gradient: its number of known targets divided by the mean of all processes."""
    own = torch.as_tensor(known, dtype=torch.float32, device=fabric.device)
    mean = cast(Tensor, fabric.all_reduce(own.clone(), reduce_op="mean"))
    return own / mean.clamp(min=1 / fabric.world_size)


@dataclass(frozen=True)
class Trainer:
    """A network on its device, with optimizer, schedule and losses.

    Attributes:
        training: how to train.
        fabric: the device, its arithmetic, the other processes.
        network: to train.
        run: its `run`, wrapped to join the gradients of several processes.
        optimizer: updates the weights.
        schedule: of the learning rate, advances with every batch; None: the rate is constant.
        average: of the weights; None if they are not averaged.
        losses: for training and for validation.
    """

    training: TrainingRecipe
    fabric: Fabric
    network: LstmNetwork
    run: Any
    optimizer: Any
    schedule: LRScheduler | None
    average: AveragedModel | None
    losses: tuple[Loss, Loss]

    @property
    def judged(self) -> LstmNetwork:
        """The network whose weights are validated and kept: the averaged one, if weights are averaged."""
        return self.network if self.average is None else cast(LstmNetwork, self.average.module)

    @property
    def parts(self) -> dict[str, Any]:
        """The parts that change from step to step, by name in a checkpoint."""
        found = {
            "network": self.network,
            "average": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "arithmetic": self.fabric.strategy.precision,
        }
        return {name: part for name, part in found.items() if part is not None}

    def validated(self, loader: Loader) -> float:
        """Give the validation loss."""
        return validate(self.fabric, self.judged, self.losses[1], loader)


def trainer_of(job: Job, fabric: Fabric, steps: int) -> Trainer:
    """Move a network to its device, and make the optimizer, schedule and average for a number of steps."""
    network, training = job.network, job.training
    model = fabric.setup_module(network.train())
    model.mark_forward_method("run")
    optimizer = optimizer_of(network, training)
    return Trainer(
        training,
        fabric,
        network,
        model.run,
        fabric.setup_optimizers(optimizer),
        schedule_of(optimizer, training, steps),
        average_of(network, training),
        _losses_of(job, fabric),
    )


def _losses_of(job: Job, fabric: Fabric) -> tuple[Loss, Loss]:
    masked = job.network.plan.every_step or fabric.world_size > 1  # a process may be left without a row
    return losses_of(job.problem, job.training, masked, job.network.way_back().scale)


def _began(job: Job, trainer: Trainer, validation: Loader | None, kept: dict[str, Any] | None) -> Best:
    """Start, or restore everything as it was after the last complete epoch; the first process reads the checkpoint."""
    kept = trainer.fabric.broadcast(kept)
    if kept is not None:
        for name, part in trainer.parts.items():
            part.load_state_dict(kept[name])
        return Best(**kept["best"])
    if not job.begins:
        return Best()
    return beginning(trainer.judged, math.nan if validation is None else trainer.validated(validation))


def _settled(job: Job, best: Best) -> tuple[float, dict[str, Tensor]]:
    """Reduce the LSTM's correction to its start if validation improves; give the gain and the weights."""
    network, problem = job.network, job.problem
    if job.fine_tuning or not network.plan.network.highway or not best.epoch or problem.validation is None:
        return 1.0, best.weights
    if not network.plan.classes:
        return _best_gain(job, best.weights)
    network.load_state_dict(best.weights)
    share = settle_share(network, problem)  # the share that validation confirms; share 0 is epoch 0
    return share, {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _best_gain(job: Job, weights: dict[str, Tensor]) -> tuple[float, dict[str, Tensor]]:
    """Try each gain on validation.

    After a few epochs, the LSTM's correction is often right in direction and too large: on PM2.5 of Beijing three
    quarters of it were best with each seed.
    """
    alone = replace(job, training=job.training.model_copy(update={"devices": 1, "nodes": 1}))
    network, fabric = job.network, fabric_of(alone.training)
    loader, loss = feed_of(job.problem, alone.training, False).validation, _losses_of(alone, fabric)[1]
    network.to(fabric.device)
    found: list[tuple[float, float, dict[str, Tensor]]] = []
    for gain in GAINS:
        scaled = {name: gain * tensor if name.startswith("head.") else tensor for name, tensor in weights.items()}
        network.load_state_dict(scaled)
        found.append((validate(fabric, network, loss, cast(Loader, loader)), gain, scaled))
    _, gain, scaled = min(found, key=lambda one: one[0])
    return gain, scaled


def _train_in_ranks(job: Job) -> Learned:
    """Let several processes train, and take over their result as if the training had run here."""
    slim = replace(job, problem=replace(job.problem, test=None))
    try:
        learned, weights = in_ranks(_train_and_tell, slim, job.training)
    except KeyboardInterrupt:  # they have been ended; the checkpoint has the complete epochs
        if job.checkpoint.is_file():
            return Learned(Best(**checkpoints.load(job.checkpoint, job.digest)["best"]), True)
        return Learned(beginning(job.network, math.nan) if job.begins else Best(), True)
    job.network.load_state_dict(weights)
    return cast(Learned, learned)


def _train_and_tell(job: Job) -> tuple[Learned, dict[str, Tensor]]:
    """Train as one of several processes; also give the weights of the last epoch."""
    learned = train(job)
    return learned, job.network.cpu().state_dict()


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Set the number of torch threads for a while; None for its own choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
