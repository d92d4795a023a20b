"""Optimizers, learning rate schedules, and moving averages of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edgelstm.recipe.sections import TrainingRecipe

SGD_MOMENTUM = 0.9
ONE_CYCLE_WARM_UP = 0.3


def optimizer_of(network: nn.Module, training: TrainingRecipe) -> Optimizer:
    """Make the optimizer of a recipe."""
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    options: dict[str, Any] = {"lr": training.learning_rate, "weight_decay": training.weight_decay, "fused": True}
    if training.optimizer == "sgd":
        options["momentum"] = SGD_MOMENTUM
    optimizer: Optimizer = kinds[training.optimizer](network.parameters(), **options)
    return optimizer


def schedule_of(optimizer: Optimizer, training: TrainingRecipe, steps: int) -> LRScheduler | None:
    """Make the schedule of a recipe, which advances with each of `steps` batches; None: the rate is constant."""
    if training.schedule == "one-cycle":
        return OneCycleLR(optimizer, training.learning_rate, total_steps=steps, pct_start=ONE_CYCLE_WARM_UP)
    if training.schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=steps)
    return None


def average_of(network: nn.Module, training: TrainingRecipe) -> AveragedModel | None:
    """Make the moving average of the weights; None if they are not averaged."""
    if not training.average:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.average))  # type: ignore[no-untyped-call]
