"""Classes: confusion matrix, and the mistakes with the highest confidence."""

from __future__ import annotations

import numpy as np

from edgelstm.contract import Contract
from edgelstm.data.scores.figures import percent_text
from edgelstm.errors import counted
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import Chart, Curve, draw, number_text
from edgelstm.report.evaluation import Evaluation, PartEvaluation, SequenceCase
from edgelstm.report.words import series_words

CHANNELS = 12  # drawn of a sequence
LINES = ("second", "other1", "other2", "other3", "other4", "other5")


def confusion(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Lay out the confusion matrix of the first network, and its figures by class."""
    details = next(iter(part.networks.values())).details
    if "confusion" not in details:
        return []
    classes, counts = details["classes"], np.array(details["confusion"])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    matrix = tuple(
        Row((name, *(f"{count:,}" for count in counts[i])), shares=tuple(share[i].tolist()))
        for i, name in enumerate(classes)
    )
    by_class = tuple(
        Row(
            (
                name,
                f"{found['support']:,}",
                percent_text(found["precision"]),
                percent_text(found["recall"]),
                number_text(found["f1"], 3),
            )
        )
        for name, found in details["by_class"].items()
    )
    tables = (
        Table(("truth \N{RIGHTWARDS ARROW} answer", *classes), matrix),
        Table(("class", "true", "precision", "recall", "F1"), by_class),
    )
    words = ("Rows are the truth, columns the answers; the darker a cell, the larger its share of the row.",)
    return [Section("Which classes does it confuse?", words, tables)]


def wrong_sequences(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw the misclassified sequences with the highest confidence."""
    cases = [case for case in part.worst if isinstance(case, SequenceCase)]
    if not cases:
        return []
    inputs = evaluation.contract.inputs
    left = len(inputs) - CHANNELS
    words = ["Inputs in training standard deviations."]
    if left > 0:
        words.append(f"{counted(left, 'more channel')} not drawn.")
    charts = tuple(_sequence(case, evaluation.contract) for case in cases)
    return [Section("Confident mistakes", tuple(words), small=charts)]


def _sequence(case: SequenceCase, contract: Contract) -> Chart:
    steps = np.arange(1, len(case.x) + 1)
    named = len(contract.inputs) <= len(LINES)
    curves = [
        Curve(channel.name if named else "", LINES[i % len(LINES)], steps, case.x[:, i], dots=len(steps) == 1)
        for i, channel in enumerate(contract.inputs[:CHANNELS])
    ]
    truth, answer = (contract.outputs[i].name for i in (case.truth, case.answer))
    title = f"{series_words(case.name, contract)}: {truth}, classified as {answer} ({percent_text(case.confidence)})"
    return draw(title, curves, "step", "standard deviations")
