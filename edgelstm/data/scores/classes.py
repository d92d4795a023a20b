"""Score classes: how often the answer is right, and which classes are confused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.scores.scorer import Scored, shares
from edgelstm.errors import DataError

SMALLEST = float(np.finfo(np.float32).eps)  # lower limit of a probability: a float32 softmax underflows to 0


class Classes:
    """Accuracy, macro F1 and log loss.

    The score has `accuracy`, `macro_f1`, the mean of F1 over the classes that occur in the truth or in the answers, and
    `log_loss`, the mean of -log of the probability of the true class, limited to at least `SMALLEST`; it is absent if
    an answerer gives no probabilities. All are NaN if any answer is NaN. The details have `classes`, the `confusion`
    matrix (rows: truth, columns: answers) and `by_class`: precision, recall, F1 (0 where the divisor is 0) and support.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        """Prepare for these classes [C], in the order of the outputs."""
        self._names = names
        self._confusion = np.zeros((len(names), len(names)), np.int64)
        self._loss, self._with_loss, self._broken = 0.0, True, False

    def add(self, y: NDArray[Any], truth: NDArray[np.integer]) -> None:
        """Take answers and the true classes, int64 [...], below 0 where unknown.

        Args:
            y: float32 [..., C], probabilities; or, from an answerer without them, int64 [...], the classes.
            truth: int64 [...].
        """
        known = truth >= 0
        y, truth = y[known], truth[known]
        if y.dtype.kind == "i":
            self._with_loss, answer = False, y
        else:
            self._broken |= bool(np.isnan(y).any())
            answer = y.argmax(axis=-1)
            probability = np.take_along_axis(y, truth[:, np.newaxis], axis=-1).astype(np.float64)
            self._loss -= float(np.log(np.maximum(probability, SMALLEST)).sum())
        np.add.at(self._confusion, (truth, answer), 1)

    def result(self) -> Scored:
        """Say how often the answers were right."""
        confusion = self._confusion
        count = int(confusion.sum())
        if count == 0:
            raise DataError("nothing to score: this part has no known truth")
        right, support, answered = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        precision, recall = shares(right, answered, 0.0), shares(right, support, 0.0)
        f1 = shares(2 * right, support + answered, 0.0)
        score = {"accuracy": float(right.sum() / count), "macro_f1": float(f1[support + answered > 0].mean())}
        if self._with_loss:
            score["log_loss"] = self._loss / count
        if self._broken:
            score = dict.fromkeys(score, float("nan"))
        by_class = {
            name: {
                "precision": float(precision[c]),
                "recall": float(recall[c]),
                "f1": float(f1[c]),
                "support": int(support[c]),
            }
            for c, name in enumerate(self._names)
        }
        return Scored(score, {"classes": list(self._names), "confusion": confusion.tolist(), "by_class": by_class})
