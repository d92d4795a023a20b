"""Where training runs: the device and its arithmetic, and checks of these settings."""

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
    """bf16 or fp16 where torch considers it safe."""

    def convert_input(self, data: Any) -> Any:
        """Keep physical units in float32: if rounded before scaling, they would lose their differences."""
        return data

    def convert_output(self, data: Any) -> Any:
        """Keep answers as they are: the loss converts them."""
        return data

    def unscale_gradients(self, optimizer: Any) -> None:
        """Allow clipping with fused optimizers, which Fabric refuses and torch supports."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)


def fabric_of(training: TrainingRecipe) -> Fabric:
    """Set up the device of this process, and wait for the other processes of the training."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its tips are not for our users
    # Not Apple's GPU: it lacks float64, in which losses are summed and the calendar is computed.
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # `ranks` started this process, so Fabric must not guess a cluster from the environment.
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
    """Refuse devices that do not exist, and more of them than can share the work.

    Args:
        problem: what to learn.
        training: gives the number of devices and nodes.
        every_step: the state is carried.

    Raises:
        RecipeError: settings contradict each other or the data.
        TrainingError: the machine or its environment lacks what was asked for.
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
