"""Pick the few examples to show: the worst ones, and a typical one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.contract import Channel, Contract
from edgelstm.data.examples import Examples
from edgelstm.data.scores.score import Answerer
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Windows
from edgelstm.report.axes import origins_of, steps_of
from edgelstm.report.evaluation import Case, SequenceCase, SeriesCase, WindowCase
from edgelstm.report.losses import measure
from edgelstm.runtime.samples import to_origins

WORST = 3
HISTORY_HORIZONS, MIN_HISTORY = 3, 24  # length of the history that is shown


def pick_cases(
    examples: Examples, answerers: dict[str, Answerer], losses: Array64, answers: NDArray[Any], contract: Contract
) -> tuple[Case | None, tuple[Case, ...]]:
    """Pick a typical example and the worst ones.

    Args:
        examples: the examples that were answered.
        answerers: called again for the windows to show; the error of the first decides.
        losses: float64 [N, targets], of each window, sequence or, with an answer at every step, row.
        answers: of each sequence [N, C], or of each row [M, O].
        contract: of the network.

    Returns:
        The example with the median error (None to classify); and up to `WORST` others, the worst first.
    """
    if isinstance(examples, Windows):
        return _windows(examples, answerers, losses, contract)
    if examples.every_step:
        return _series(examples, losses, answers, contract)
    return None, _sequences(examples, answers, contract)


def _windows(
    windows: Windows, answerers: dict[str, Answerer], losses: Array64, contract: Contract
) -> tuple[Case | None, tuple[Case, ...]]:
    error = np.where(np.isnan(losses).all(axis=1), -1.0, np.nan_to_num(losses).mean(axis=1))
    by_error = np.argsort(-error, kind="stable")
    by_error = by_error[: int((error >= 0).sum())]
    typical = int(by_error[len(by_error) // 2])
    worst: list[int] = []
    for i in map(int, by_error):
        apart = [abs(int(windows.y_starts[i] - windows.y_starts[other])) >= windows.horizon for other in worst]
        if all(apart):
            worst.append(i)
        if len(worst) == WORST:
            break
    shown = [_window(windows, answerers, losses, i, contract) for i in [typical, *worst]]
    return shown[0], tuple(shown[1:])


def _window(
    windows: Windows, answerers: dict[str, Answerer], losses: Array64, i: int, contract: Contract
) -> WindowCase:
    index = np.array([i])
    target = int(np.nan_to_num(losses[i], nan=-1.0).argmax())
    history = windows.history(index)
    length = max(MIN_HISTORY, HISTORY_HORIZONS * windows.horizon)
    levels = len(contract.outputs) // len(contract.targets)
    first, *others = (
        to_origins(answerer(index)[0], contract.outputs).reshape(windows.horizon, -1, levels)
        for answerer in answerers.values()
    )
    return WindowCase(
        i,
        origins_of(windows, index),
        float(measure(losses[i], contract.answer, (0,))),
        target,
        None if history is None else to_origins(history[0, -length:], contract.targets),
        to_origins(windows.y(index)[0], contract.targets),
        first,
        dict(zip(list(answerers)[1:], others, strict=True)),
        windows.names[int(windows.series_of(index)[0])] if windows.names else "",
    )


def _sequences(sequences: Sequences, answers: NDArray[Any], contract: Contract) -> tuple[Case, ...]:
    """Give the misclassified sequences, the most confident first."""
    classes, confidence = answers.argmax(axis=-1), answers.max(axis=-1)
    wrong = np.flatnonzero((classes != sequences.targets) & (sequences.targets >= 0))
    first = wrong[np.argsort(-confidence[wrong], kind="stable")][:WORST]
    return tuple(
        SequenceCase(
            int(i),
            sequences.names[i],
            int(sequences.targets[i]),
            int(classes[i]),
            float(confidence[i]),
            _in_spreads(sequences.x(int(i)), contract),
        )
        for i in first
    )


def _in_spreads(x: NDArray[Any], contract: Contract) -> NDArray[np.float32]:
    mean = np.array([c.statistics.mean if c.statistics else 0.0 for c in contract.bare.inputs])
    spread = np.array([channel.spread for channel in contract.inputs])
    scaled: NDArray[np.float32] = ((x - mean) / spread).astype(np.float32)
    return scaled


def _series(
    sequences: Sequences, losses: Array64, answers: NDArray[Any], contract: Contract
) -> tuple[Case | None, tuple[Case, ...]]:
    errors = np.array([measure(losses[sequences.rows(i)], contract.answer, (0, 1)) for i in range(len(sequences))])
    by_error = np.argsort(-np.nan_to_num(errors, nan=-1.0), kind="stable")[: int((~np.isnan(errors)).sum())]
    shown = [
        SeriesCase(
            int(i),
            sequences.names[i],
            float(errors[i]),
            steps_of(sequences, int(i)),
            _physical(sequences.truth(int(i)), contract.targets),
            _physical(answers[sequences.rows(int(i))], contract.outputs),
        )
        for i in (by_error[len(by_error) // 2], *by_error[:WORST])
    ]
    return shown[0] if len(by_error) > 1 else None, tuple(shown[1:])


def _physical(values: NDArray[Any], channels: tuple[Channel, ...]) -> NDArray[Any]:
    """Add the origins to numbers; classes have none."""
    return values if values.dtype.kind == "i" else to_origins(values, channels)
