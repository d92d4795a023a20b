"""The start of a network that labels classes: the log-odds from one decisive channel, if there is one.

And how much of the LSTM's correction is kept: as much as validation confirms. In other cases a start did not pay off:
on a valve of SKAB, where all channels together say more than one, test accuracy was 92.4 % with it and 95.1 % without;
for numbers, on C-MAPSS, least squares gave an error of 15.8 cycles instead of 13.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.data.baselines.logistic import LARGEST_SYSTEM, fit_logistic
from edgelstm.data.scaling import Scaling
from edgelstm.data.scores.score import score
from edgelstm.data.sequences import Sequences
from edgelstm.train.answers import network_answerer
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.problem import Problem

SHARES = (0.0, 0.25, 0.5, 1.0)


class LabelStart(NamedTuple):
    """A logistic regression in scaled units, for `LstmNetwork.set_start`.

    Attributes:
        weight: float32 [C, F].
        bias: float32 [C].
        words: what it uses, for people.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    words: str


def start_weights(problem: Problem, scaling: Scaling) -> LabelStart | None:
    """Find a decisive channel: its logistic regression is more accurate than that of all channels.

    An example is the light in an office: the other channels mislead, and what they add in one week is wrong in the
    next. Validation decides; among equally accurate channels the smaller log loss wins.

    Args:
        problem: what to learn.
        scaling: of its network.

    Returns:
        The regression of that channel; None without classes at every step, with one channel, without validation, if
        all channels or the most frequent class are as good, or if there are too many classes and channels.
    """
    training, validation = problem.training, problem.validation
    if not isinstance(training, Sequences) or not isinstance(validation, Sequences) or problem.answer != "class":
        return None
    inputs, classes = len(problem.inputs), len(problem.outputs)
    if not training.every_step or inputs == 1 or classes * (inputs + 1) > LARGEST_SYSTEM:
        return None
    known, held_out = (_Rows.of(part, scaling) for part in (training, validation))
    nothing, everything = (_figure(held_out, *_fit(known, some, classes)) for some in ((), tuple(range(inputs))))
    fits = [_fit(known, (i,), classes) for i in range(inputs)]
    found = [_figure(held_out, *fit) for fit in fits]
    best = min(range(inputs), key=found.__getitem__)
    if found[best] >= everything or found[best][0] >= nothing[0]:
        return None
    weight, bias = (part.astype(np.float32) for part in fits[best])
    return LabelStart(weight, bias, f"a logistic regression on {problem.inputs[best].name} alone")


def settle_share(network: LstmNetwork, problem: Problem) -> float:
    """Keep the smallest share of the LSTM's correction that is as accurate on validation as any other share.

    Validation is limited, often to one week: if two networks are equally accurate on it, the one nearer to the start is
    safer.

    Args:
        network: with a start; its head is multiplied by the share.
        problem: gives the validation part; without one, everything is kept.

    Returns:
        The share, one of `SHARES`.
    """
    if problem.validation is None or not network.plan.network.highway:
        return 1.0
    head = {name: tensor.clone() for name, tensor in network.head.state_dict().items()}
    found = []
    for share in SHARES:
        network.head.load_state_dict({name: tensor * share for name, tensor in head.items()})
        answers = network_answerer(network, problem.validation)
        found.append(score(answers, problem.validation, problem.outputs, problem.answer).score["accuracy"])
    chosen = SHARES[found.index(max(found))]
    network.head.load_state_dict({name: tensor * chosen for name, tensor in head.items()})
    return chosen


class _Rows(NamedTuple):
    """Samples in scaled units, float64 [N, F], and their classes, int64 [N]."""

    x: Array64
    classes: NDArray[Any]

    @classmethod
    def of(cls, part: Sequences, scaling: Scaling) -> _Rows:
        known = part.targets >= 0
        x = part.x_rows[known].astype(np.float64)
        return cls((x - scaling.input_offset) * scaling.input_factor, part.targets[known].astype(np.int64))


def _fit(rows: _Rows, columns: tuple[int, ...], classes: int) -> tuple[Array64, Array64]:
    """Fit on some channels: weights [C, F], 0 at all others, and biases [C]."""
    weight = np.zeros((classes, rows.x.shape[1]))
    weight[:, list(columns)], bias = fit_logistic(rows.x[:, list(columns)], rows.classes, classes)
    return weight, bias


def _figure(rows: _Rows, weight: Array64, bias: Array64) -> tuple[float, float]:
    """Give the error of a fit: the share of wrong classes, then the log loss."""
    z = rows.x @ weight.T + bias
    top = z.max(axis=1)
    right = z[np.arange(len(z)), rows.classes]
    loss = (top + np.log(np.exp(z - top[:, np.newaxis]).sum(axis=1)) - right).mean()
    return float((z.argmax(axis=1) != rows.classes).mean()), float(loss)
