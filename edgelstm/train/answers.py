"""The answers of the trained network, run with or without a carried state, and of its baselines."""

from __future__ import annotations

import copy
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgelstm.data.baselines.linear import LINE_ALONE
from edgelstm.data.examples import Examples
from edgelstm.data.scores.score import Answerer, score
from edgelstm.data.scores.scorer import Scored
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Index, Windows
from edgelstm.train.feeding.chunks import EVALUATED_STEPS, EVALUATED_TOGETHER
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.problem import Problem
from edgelstm.train.tasks import TASKS

NETWORK, QUANTIZED = "network", "quantized"
BATCH = 512
Answers = NDArray[np.float32]


def answerers_of(
    problem: Problem, networks: dict[str, LstmNetwork], line: LstmNetwork | None = None
) -> dict[str, tuple[dict[str, Answerer], dict[str, Answerer]]]:
    """List what can answer on each held-out part, by name: the networks and the baselines.

    Args:
        problem: gives the examples.
        networks: by name.
        line: the first network reduced to its start, if it has one; listed among the baselines.
    """
    baselines = TASKS[problem.task].baselines(problem) if problem.held_out else {}
    return {
        part: (
            {name: network_answerer(network, examples) for name, network in networks.items()},
            {
                **{name: baseline(examples) for name, baseline in baselines.items()},
                **({} if line is None else {LINE_ALONE: network_answerer(line, examples)}),
            },
        )
        for part, examples in problem.held_out.items()
    }


def scores_of(problem: Problem, networks: dict[str, LstmNetwork]) -> dict[str, dict[str, Scored]]:
    """Score networks on each held-out part: by name of the network, then of the part."""
    return {
        name: {
            part: score(network_answerer(network, examples), examples, problem.outputs, problem.answer)
            for part, examples in problem.held_out.items()
        }
        for name, network in networks.items()
    }


def network_of_line(network: LstmNetwork) -> LstmNetwork:
    """Copy a network that has a start, and switch off its LSTM."""
    line = copy.deepcopy(network)
    line.silence()
    return line


def network_answerer(network: LstmNetwork, examples: Examples) -> Answerer:
    """Answer with the network: each window from a zero state, or with a state carried over a whole series."""
    if isinstance(examples, Windows):
        return _carried_forecasts(network, examples) if network.plan.every_step else _forecasts(network, examples)
    return _labels(network, examples) if examples.every_step else _classes(network, examples)


def _forecasts(network: LstmNetwork, windows: Windows) -> Answerer:
    def answerer(index: Index) -> Answers:
        times = None if windows.times is None else windows.times_of(index)
        return answer(network, windows.x(index), None, times)

    return answerer


def _carried_forecasts(network: LstmNetwork, windows: Windows) -> Answerer:
    """Carry the state over each stretch of a series once, from zero at its first row; each array is a series."""
    if not windows.same_rows:
        return lambda index: answer(network, windows.x(index))[:, -1]
    answers, place = _over_stretches(network, windows, *windows.stretches), windows.last_steps
    return lambda index: answers[place[index]]


def _over_stretches(network: LstmNetwork, windows: Windows, starts: Index, lengths: Index) -> Answers:
    """Answer at every step of every stretch, several at once: float32 [steps, K, O], one stretch after the other."""
    firsts, order = np.cumsum(lengths) - lengths, np.argsort(-lengths, kind="stable")
    places, found = [], []
    for i in range(0, len(order), EVALUATED_TOGETHER):
        some = order[i : i + EVALUATED_TOGETHER]
        steps = np.arange(lengths[some[0]])
        inside = steps < lengths[some, np.newaxis]
        rows = starts[some, np.newaxis] + np.minimum(steps, lengths[some, np.newaxis] - 1)
        times = None if windows.times is None else windows.times[rows]
        found.append(answer(network, windows.x_rows[rows], None, times)[inside])
        places.append((firsts[some, np.newaxis] + steps)[inside])
    answers = np.empty_like(np.concatenate(found))
    answers[np.concatenate(places)] = np.concatenate(found)
    return answers


def _classes(network: LstmNetwork, sequences: Sequences) -> Answerer:
    def answerer(index: Index) -> Answers:
        x, lengths = sequences.padded(index)
        times = None if sequences.times is None else sequences.padded_times(index)
        return answer(network, x, lengths, times)[:, 0]

    return answerer


def _labels(network: LstmNetwork, sequences: Sequences) -> Answerer:
    def answerer(index: Index) -> Answers:
        times = sequences.times_of(int(index[0]))
        x = sequences.x(int(index[0]))[np.newaxis]
        return answer(network, x, None, None if times is None else times[np.newaxis])[0, :, 0]

    return answerer


def answer(
    network: LstmNetwork,
    x: NDArray[np.float32],
    lengths: NDArray[np.int64] | None = None,
    times: NDArray[np.int64] | None = None,
    rows: int = BATCH,
) -> Answers:
    """Run the network in evaluation mode, a batch of rows at a time.

    Args:
        network: on any device.
        x: [B, T, F].
        lengths: [B], the valid steps of each row.
        times: [B, T], seconds since 1970.
        rows: per batch.

    Returns:
        [B, K, O], or [B, T, K, O] at every step.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    found = []
    with torch.inference_mode():
        for i in range(0, len(x), rows):
            some = torch.from_numpy(x[i : i + rows]).to(device)
            beside = (None if p is None else torch.from_numpy(p[i : i + rows]).to(device) for p in (lengths, times))
            found.append(_run(network, some, *beside).cpu().numpy())
    network.train(was_training)
    return np.concatenate(found)


def _run(network: LstmNetwork, x: Tensor, lengths: Tensor | None, time_s: Tensor | None) -> Tensor:
    """Run some rows; with a carried state, long ones in pieces."""
    if not network.plan.every_step:
        return cast(Tensor, network(x, lengths, time_s))
    steps, state, found = max(1, EVALUATED_STEPS // len(x)), None, []
    for start in range(0, x.shape[1], steps):
        some = slice(start, start + steps)
        piece = network.run(x[:, some], None, None if time_s is None else time_s[:, some], state)
        state = piece.state
        found.append(network.as_told(piece))
    return torch.cat(found, 1)
