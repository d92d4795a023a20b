"""What a network of classes at every step starts from: the log-odds of the one channel that decides, where one does.

And how much of what an LSTM adds to them is kept: as much as validation confirms. Elsewhere a start did not pay: on a
valve of SKAB, where all channels say more than one, it led to 92.4 % of the test where the network has 95.1 % without;
of numbers, on C-MAPSS, least squares led to an error of 15.8 cycles in the place of 13.3.
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
        words: what it looks at, for people.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    words: str


def start_weights(problem: Problem, scaling: Scaling) -> LabelStart | None:
    """Find the channel that decides alone: whose logistic regression is more accurate than that of all channels.

    As light does in an office: there the others mislead, and what they add in one week is wrong in the next. It is
    validation that tells; of equally accurate ones that with the smaller log loss counts.

    Args:
        problem: what there is to learn.
        scaling: of its network.

    Returns:
        That of the channel; None where there are no classes at every step, one channel or no part held out, all
        channels or the most frequent class are as good, or there are too many classes and channels.
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
    """Keep of what the LSTM adds to its start the smallest share that is as accurate on validation as any other.

    One week cannot tell what another will bear out: of two networks that it finds equally accurate, the one nearer to
    its start is the safer one.

    Args:
        network: with a start; its head is multiplied by the share.
        problem: gives the validation part; without one all is kept.

    Returns:
        The share, of `SHARES`.
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
    """How bad a fit is: its share of wrong classes, then its log loss."""
    z = rows.x @ weight.T + bias
    top = z.max(axis=1)
    right = z[np.arange(len(z)), rows.classes]
    loss = (top + np.log(np.exp(z - top[:, np.newaxis]).sum(axis=1)) - right).mean()
    return float((z.argmax(axis=1) != rows.classes).mean()), float(loss)
