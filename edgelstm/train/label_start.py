"""What a network of labels starts from: a linear model of the sample alone, chosen on validation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.baselines.logistic import LARGEST_SYSTEM, fit_logistic
from edgelstm.data.scaling import Scaling
from edgelstm.data.sequences import Sequences
from edgelstm.train.problem import Problem

PENALTY = 1.0  # of least squares, as the linear baseline has it

Doubles = NDArray[np.float64]


class LinearStart(NamedTuple):
    """A linear model in scaled units, for `LstmNetwork.set_start`.

    Attributes:
        weight: float32 [O, F], or [C, F] of classes, whose logits it gives.
        bias: float32 [O] or [C].
        words: what it is, for people.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    words: str


def start_weights(problem: Problem, scaling: Scaling) -> LinearStart | None:
    """Fit the linear models that labels may start from, and take the one that is best on validation.

    Candidates are each channel alone and all of them: where one decides, as light does in an office, what the others
    add in one week misleads in the next. Of classes the most accurate one counts (of equally accurate ones that with
    the smaller log loss), of numbers the one with the smallest squared error.

    Args:
        problem: labels, at every step.
        scaling: of its network.

    Returns:
        The best; None where no part is held out, where a constant is as good, for quantiles, or where there are too
        many classes and channels.
    """
    training, validation = problem.training, problem.validation
    if not isinstance(training, Sequences) or not isinstance(validation, Sequences) or problem.answer == "quantile":
        return None
    inputs, outputs = len(problem.inputs), len(problem.outputs)
    if not training.every_step or outputs * (inputs + 1) > LARGEST_SYSTEM:
        return None
    parts = [_Rows.of(part, problem, scaling) for part in (training, validation)]
    some = [(i,) for i in range(inputs)] if inputs > 1 else []
    fits = [_fit(parts[0], columns, outputs) for columns in ((), *some, tuple(range(inputs)))]
    found = [_figure(parts[1], *fit) for fit in fits]
    best = min(range(len(fits)), key=found.__getitem__)
    if found[best][0] >= found[0][0]:
        return None
    weight, bias = (part.astype(np.float32) for part in fits[best])
    names = "all channels" if best == len(fits) - 1 else f"{problem.inputs[best - 1].name} alone"
    kind = "a logistic regression" if problem.answer == "class" else "least squares"
    return LinearStart(weight, bias, f"{kind} on {names}")


class _Rows(NamedTuple):
    """Samples in scaled units [N, F], and what they are: classes [N], or numbers [N, O] in scaled units."""

    x: Doubles
    truth: NDArray[np.generic]

    @classmethod
    def of(cls, part: Sequences, problem: Problem, scaling: Scaling) -> _Rows:
        x = (part.x_rows.astype(np.float64) - scaling.input_offset) * scaling.input_factor
        if problem.answer == "class":
            known = part.targets >= 0
            return cls(x[known], part.targets[known])
        known = ~np.isnan(part.targets).any(axis=1)
        truth = np.minimum(part.targets[known], [channel.ceiling for channel in problem.outputs])
        return cls(x[known], (truth.astype(np.float64) - scaling.output_offset) / scaling.output_scale)


def _fit(rows: _Rows, columns: tuple[int, ...], outputs: int) -> tuple[Doubles, Doubles]:
    """Fit on some channels: weights [O, F], 0 at all others, and biases [O]."""
    weight, x = np.zeros((outputs, rows.x.shape[1])), rows.x[:, list(columns)]
    if rows.truth.dtype.kind == "i":
        weight[:, list(columns)], bias = fit_logistic(x, rows.truth.astype(np.int64), outputs)
        return weight, bias
    truth = rows.truth.astype(np.float64)
    mean, offset = x.mean(axis=0), truth.mean(axis=0)
    z = x - mean
    solved = np.linalg.solve(z.T @ z + PENALTY * np.eye(len(columns)), z.T @ (truth - offset))
    weight[:, list(columns)] = solved.T
    return weight, offset - mean @ solved


def _figure(rows: _Rows, weight: Doubles, bias: Doubles) -> tuple[float, float]:
    """How bad a fit is: share of wrong classes and log loss, or the squared error."""
    z = rows.x @ weight.T + bias
    if rows.truth.dtype.kind != "i":
        return float(((z - rows.truth) ** 2).mean()), 0.0
    top = z.max(axis=1)
    right = z[np.arange(len(z)), rows.truth.astype(np.int64)]
    loss = (top + np.log(np.exp(z - top[:, np.newaxis]).sum(axis=1)) - right).mean()
    return float((z.argmax(axis=1) != rows.truth).mean()), float(loss)
