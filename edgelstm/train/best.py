"""The weights that training keeps: those of the epoch with the best validation loss."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn

from edgelstm.errors import TrainingError


class Best(NamedTuple):
    """The best epoch so far; without validation, the last one.

    Attributes:
        history: (training loss, validation loss) of each epoch, NaN without validation.
        epoch: from 1; 0 before the first epoch has ended, or if none was better than the initial weights.
        loss: on validation.
        weights: of that epoch by name, on the CPU; empty before the first.
    """

    history: tuple[tuple[float, float], ...] = ()
    epoch: int = 0
    loss: float = math.inf
    weights: dict[str, Tensor] = {}  # noqa: RUF012  (nobody changes it)


def beginning(network: nn.Module, validation: float) -> Best:
    """Keep the initial weights as epoch 0 until an epoch is better; without validation the first epoch is."""
    return Best(loss=math.inf if math.isnan(validation) else validation, weights=copied(network))


def with_epoch(best: Best, learnt: float, validation: float | None, network: nn.Module) -> Best:
    """Add an epoch, and keep its weights if they are better.

    Args:
        best: so far.
        learnt: the training loss.
        validation: the validation loss; None without validation data.
        network: holds the weights of the epoch.

    Raises:
        TrainingError: a loss is no longer a number.
    """
    told = math.nan if validation is None else validation
    history = (*best.history, (learnt, told))
    if not math.isfinite(learnt) or (validation is not None and not math.isfinite(validation)):
        raise TrainingError(
            f"the loss became {learnt} (training) and {told} (validation) in epoch {len(history)}: "
            "lower --learning-rate or --gradient-clip"
        )
    if validation is None or validation < best.loss:
        return Best(history, len(history), told, copied(network))
    return best._replace(history=history)


def copied(network: nn.Module) -> dict[str, Tensor]:
    """Copy the weights to the CPU, by name."""
    return {name: tensor.detach().clone().cpu() for name, tensor in network.state_dict().items()}
