"""Where a training runs: the device and its arithmetic, and what of it makes no sense."""

from __future__ import annotations

import logging
import os
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from edgelstm.errors import RecipeError, TrainingError
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.train.feeding.batches import Share
from edgelstm.train.feeding.feed import feed_of
from edgelstm.train.problem import Problem
from edgelstm.train.ranks import node_rank, processes_of


class Arithmetic(MixedPrecision):
    """bf16 or fp16 where torch finds it safe."""

    def convert_input(self, data: Any) -> Any:
        """Leave physical units as they are: rounded before they are scaled, they would lose what tells them apart."""
        return data

    def convert_output(self, data: Any) -> Any:
        """Leave answers as they are: the loss takes care of itself."""
        return data

    def unscale_gradients(self, optimizer: Any) -> None:
        """Let the gradients of fused optimizers be clipped, too, which Fabric refuses and torch does."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)


def fabric_of(training: TrainingRecipe) -> Fabric:
    """Take the device of this process, and wait for the others that train with it."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its tips are not for our users
    # Not Apple's: it lacks float64, in which losses are summed up and a calendar is computed.
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Who started this process is known, see `ranks`: no cluster need be guessed from the environment.
    plugins: list[Any] = [LightningEnvironment()]
    if training.precision != "fp32":
        plugins.append(Arithmetic("16-mixed" if training.precision == "fp16" else "bf16-mixed", device))
    fabric = Fabric(
        accelerator=device,
        devices=training.devices,
        num_nodes=training.nodes,
        strategy="ddp" if processes_of(training) > 1 else "auto",
        plugins=plugins,
    )
    fabric.launch()
    return fabric


def check_devices(problem: Problem, training: TrainingRecipe, every_step: bool) -> None:
    """Refuse devices that are not there, and more of them than can share the work.

    Args:
        problem: what there is to learn.
        training: says how many devices and nodes.
        every_step: a state is carried on.

    Raises:
        RecipeError: settings that contradict each other or the data.
        TrainingError: the machine or its environment lacks what is asked for.
    """
    processes = processes_of(training)
    if processes == 1:
        if training.strategy != "auto":
            raise RecipeError(
                f"training.strategy: {training.strategy} needs several devices, training.devices is 1: raise it with "
                "--devices, or remove the strategy"
            )
        return
    if training.nodes > 1:
        node_rank(training)
    if "LOCAL_RANK" in os.environ:
        raise TrainingError(
            "training.devices: this process is already one of several (LOCAL_RANK is set): start edgelstm once per "
            "node, without torchrun; it starts one process per device"
        )
    if torch.cuda.is_available() and training.devices > torch.cuda.device_count():
        raise TrainingError(
            f"training.devices: expected at most the {torch.cuda.device_count()} GPUs of this machine, got "
            f"{training.devices}"
        )
    shares = feed_of(problem, training, every_step, Share(0, processes)).shares
    if processes > shares:
        raise RecipeError(
            f"training.devices: expected at most {shares}, the number of batches in an epoch, got {processes}: "
            "lower --devices or --batch-size"
        )
