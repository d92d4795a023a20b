"""The page: an evaluation for people, in one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgelstm.errors import require
from edgelstm.report.blocks import Section
from edgelstm.report.evaluation import Evaluation, History
from edgelstm.report.sections.classes import confusion, wrong_sequences
from edgelstm.report.sections.fleet import each_series
from edgelstm.report.sections.forecast import by_channel, by_step, overview, windows
from edgelstm.report.sections.quantiles import calibration
from edgelstm.report.sections.scores import over_time, scores
from edgelstm.report.sections.series import against_truth, by_series, single_series
from edgelstm.report.sections.training import losses
from edgelstm.report.words import task_words, verdict_words

if TYPE_CHECKING:
    import jinja2

# The sections of a part, in this order; each gives none if it does not apply.
_OF_A_PART = (
    overview,
    calibration,
    confusion,
    against_truth,
    by_step,
    by_channel,
    over_time,
    by_series,
    each_series,
    windows,
    single_series,
    wrong_sequences,
)


def report_html(evaluation: Evaluation, history: History | None = None) -> bytes:
    """Write the page of an evaluation: the scores of every part, and the last part in detail.

    Args:
        evaluation: from `evaluate_parts`.
        history: of the training, if there was one here.

    Returns:
        UTF-8; the same arguments give the same bytes.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    contract, origin = evaluation.contract, evaluation.contract.provenance
    facts = {
        "source": evaluation.source,
        "precision": contract.precision,
        "state": contract.state,
        "data": evaluation.data_sha256,
        "weights": origin.weights_sha256,
        "versions": ", ".join(f"{name} {version}" for name, version in origin.versions.items()),
    }
    page = (
        environment("edgelstm.report")
        .get_template("report.html.j2")
        .render(
            title=contract.name,
            task=task_words(evaluation),
            verdict=verdict_words(evaluation.parts[-1], evaluation) if evaluation.parts else "",
            sections=sections_of(evaluation, history),
            facts={name: fact for name, fact in facts.items() if fact},
        )
    )
    return page.encode()


def sections_of(evaluation: Evaluation, history: History | None) -> Sequence[Section]:
    """List the sections of the page."""
    last = evaluation.parts[-1:]
    details = [section for part in last for make in _OF_A_PART for section in make(part, evaluation)]
    return [*scores(evaluation), *details, *losses(history, evaluation.contract.answer)]


def environment(*packages: str) -> jinja2.Environment:
    """Make the template engine: for templates of these packages, then those that all pages share.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    engine: Any = require("jinja2", "report")
    loader = engine.ChoiceLoader(
        [engine.PackageLoader(package, "templates") for package in dict.fromkeys((*packages, "edgelstm.report"))]
    )
    made: jinja2.Environment = engine.Environment(
        loader=loader, autoescape=True, undefined=engine.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return made
