"""The losses of a training."""

from __future__ import annotations

import numpy as np

from edgelstm.report.blocks import Section
from edgelstm.report.chart import Curve, draw
from edgelstm.report.evaluation import History


def losses(history: History | None, answer: str) -> list[Section]:
    """Draw the loss after each epoch, with a line at the kept epoch; the loss of classes is not scaled."""
    if history is None or not history.losses:
        return []
    training, validation = np.array(history.losses, np.float64).T
    epochs = np.arange(1, len(training) + 1)
    curves = [Curve("training", "answer", epochs, training, dots=len(epochs) == 1)]
    if not np.isnan(validation).all():
        curves.append(Curve("validation", "other1", epochs, validation, dots=len(epochs) == 1))
    known = np.concatenate([curve.y for curve in curves])
    log = bool((known[~np.isnan(known)] > 0).all())
    best = history.best_epoch
    words = (f"The weights of epoch {best} were kept.",) if best else ()
    unit = "loss" if answer == "class" else "loss (scaled units)"
    chart = draw("", curves, "epoch", unit, log=log, at=best or None)
    return [Section("Training and validation loss", words, charts=(chart,))]
