"""The loss curve."""

from __future__ import annotations

import numpy as np

from edgelstm.report.evaluation import History
from edgelstm.report.plots.paper import ANSWER, OTHER, as_png, finish, new_figure


def plot_loss(history: History, answer: str) -> bytes:
    """Draw the loss of each epoch and mark the kept one; the loss of classes is not scaled."""
    from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullFormatter

    figure = new_figure(7.5, 4)
    axes = figure.add_subplot()
    epochs = np.arange(1, len(history.losses) + 1)
    training, validation = np.array(history.losses).T
    marker = "o" if len(epochs) <= 30 else ""
    axes.plot(epochs, training, color=ANSWER, marker=marker, markersize=4, label="training")
    if not np.isnan(validation).all():
        axes.plot(epochs, validation, color=OTHER, marker=marker, markersize=4, label="validation")
    if np.nanmin([training, validation]) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FormatStrFormatter("%.3g"))
        decades = np.log10(np.nanmax([training, validation]) / np.nanmin([training, validation]))
        axes.yaxis.set_minor_formatter(FormatStrFormatter("%.3g") if decades < 1 else NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if history.best_epoch:
        axes.axvline(history.best_epoch, color="#888888", linestyle=":", label=f"kept: epoch {history.best_epoch}")
    axes.set(xlabel="epoch", ylabel="loss" if answer == "class" else "loss (scaled units)")
    finish(axes)
    return as_png(figure)
