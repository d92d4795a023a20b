"""How a training went."""

from __future__ import annotations

import numpy as np

from edgelstm.report.blocks import Section
from edgelstm.report.chart import Curve, draw
from edgelstm.report.evaluation import History


def losses(history: History | None) -> list[Section]:
    """Draw the loss after each epoch, with a line at the one that was kept."""
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
    chart = draw("", curves, "epoch", "loss (scaled units)", log=log, at=best or None)
    return [Section("How did it learn?", words, charts=(chart,))]
