"""The page needs nobody, breaks nowhere, and says what the figures say."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from edgelstm.data.windows import from_arrays
from edgelstm.report import History, Part, evaluate_parts, pictures, report_html
from edgelstm.report.chart import number_text
from edgelstm.report.page import sections_of
from edgelstm.report.rivals import rivals_of
from tests.report.conftest import HISTORY, HOSTILE, TASKS, answerer, evaluation_of, fleet_evaluation
from tests.tiny_runs import contract_of, examples_of

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Takes a page apart and sees that what is opened is closed."""

    def __init__(self, content):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(content.decode())
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def words(self):
        return " ".join(" ".join(self.text).split())


def titles(evaluation, history=None):
    return [section.title for section in sections_of(evaluation, history)]


def test_a_page_asks_nobody_for_anything_and_runs_nothing(evaluation):
    content = report_html(evaluation, HISTORY)
    page = Page(content)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "a", "base"}
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "xlink:href")}
    style = content.decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", TASKS)
def test_only_losses_of_numbers_are_said_to_be_scaled(name):
    evaluation = evaluation_of(name)
    said = "scaled units" in Page(report_html(evaluation, HISTORY)).words()
    assert said == (evaluation.contract.answer != "class")


def test_hostile_names_are_shown_as_they_are(evaluation):
    text = Page(report_html(evaluation, HISTORY)).words()
    for name in HOSTILE:
        assert name in text


def test_the_same_evaluation_gives_the_same_bytes():
    first, second = (report_html(evaluation_of("numbers", times=True), HISTORY) for _ in range(2))
    assert first == second


def test_every_path_is_drawn_with_numbers_within_reach(evaluation):
    paths = [attributes["d"] for tag, attributes in Page(report_html(evaluation, HISTORY)).tags if tag == "path"]
    assert len(paths) > 5
    for path in paths:
        assert re.fullmatch(r"[MLhvz\d. -]*", path), path
        assert all(-600 < float(number) < 1600 for number in re.findall(r"-?\d+\.?\d*", path))


def test_it_fits_a_telephone_and_follows_its_colours(evaluation):
    content = report_html(evaluation).decode()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in content
    assert "prefers-color-scheme: dark" in content
    assert content.startswith("<!doctype html>")


SECTIONS = {
    "numbers": [
        "Forecast and truth",
        "How does the error grow with the horizon?",
        "Which targets are difficult?",
        "Where is it worst?",
    ],
    "quantiles": ["Are its quantiles calibrated?", "How does the error grow with the horizon?", "Where is it worst?"],
    "classes": ["Which classes does it confuse?", "Confident mistakes"],
    "labels": [
        "Which classes does it confuse?",
        "How does the error change over time?",
        "Which series are difficult?",
        "Where is it worst?",
    ],
    "numbers at every step": [
        "How does the error change over time?",
        "Which series are difficult?",
        "Where is it worst?",
    ],
}


@pytest.mark.parametrize("name", TASKS)
def test_each_task_has_its_sections(name):
    found = titles(evaluation_of(name), HISTORY)
    assert found[0] == "How good is it?"
    assert found[-1] == "Training and validation loss"
    assert set(SECTIONS[name]) <= set(found)


def test_a_better_baseline_is_called_better():
    contract, windows = contract_of("forecast", "number"), examples_of("forecast", "number")
    networks = {"network": lambda index: windows.y(index) + 1}
    part = Part("test", windows, networks, {"oracle": windows.y, "worse": lambda i: windows.y(i) + 2}, {})
    text = Page(report_html(evaluate_parts(contract, [part]))).words()
    assert "The best baseline is oracle with 0 std, which is better." in text
    part = replace(part, baselines={"worse": part.baselines["worse"]})
    assert "worse with 1.054 std, which it beats." in Page(report_html(evaluate_parts(contract, [part]))).words()


def test_calibration_holds_observed_against_nominal():
    contract, windows = contract_of("forecast", "quantile"), examples_of("forecast", "quantile")
    answers = np.tile(np.array([-99.0, 0.0, 99.0], np.float32), (len(windows), 2, 1))
    part = Part("test", windows, {"network": lambda index: answers[index]}, {}, {})
    evaluation = evaluate_parts(contract, [part])
    (section,) = [s for s in sections_of(evaluation, None) if s.title == "Are its quantiles calibrated?"]
    below = 100 * (windows.y() <= 0).mean()
    assert [row.cells for row in section.tables[0].rows] == [
        ("10 %", "0.0 %"),
        ("50 %", f"{below:.1f} %"),
        ("90 %", "100.0 %"),
    ]


def test_a_network_that_is_never_wrong_has_no_section_of_wrong_sequences():
    contract, sequences = contract_of("classify", "class"), examples_of("classify", "class")
    right = np.eye(3, dtype=np.float32)[sequences.targets]
    evaluation = evaluate_parts(contract, [Part("test", sequences, {"network": lambda i: right[i]}, {}, {})])
    assert "Confident mistakes" not in titles(evaluation)
    Page(report_html(evaluation))


def test_a_constant_series_and_a_perfect_forecast_can_be_drawn():
    contract, windows = contract_of("forecast", "number"), examples_of("forecast", "number")
    flat = replace(windows, x_rows=windows.x_rows * 0, y_rows=windows.y_rows * 0)
    evaluation = evaluate_parts(contract, [Part("test", flat, {"network": flat.y}, {}, {})])
    assert b"nan" not in report_html(evaluation).lower().replace(b"dominant", b"")


def test_a_part_of_one_window_can_be_drawn():
    contract, windows = contract_of("forecast", "number"), examples_of("forecast", "number")
    one = replace(windows, x_starts=windows.x_starts[:1], y_starts=windows.y_starts[:1])
    evaluation = evaluate_parts(contract, [Part("test", one, {"network": answerer(contract, one, 0)}, {}, {})])
    assert "1 window " in Page(report_html(evaluation)).words()


def test_a_training_without_any_held_out_part_still_has_a_page():
    evaluation = evaluate_parts(contract_of("forecast", "number"), [])
    assert titles(evaluation, History(((1.0, float("nan")),), 1)) == ["Training and validation loss"]
    Page(report_html(evaluation, HISTORY))


@pytest.mark.usefixtures("rendered")
def test_arrays_whose_past_nobody_knows_are_drawn_without_it():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 8, 2)).astype(np.float32), rng.normal(size=(30, 1, 2)).astype(np.float32)
    contract, windows = replace(contract_of("forecast", "number"), horizon=1), from_arrays(x, y, ())
    assert rivals_of(contract, windows, 4) == {}
    part = Part("test", windows, {"network": lambda index: windows.y(index) + 1}, {}, {})
    evaluation = evaluate_parts(contract, [part])
    assert evaluation.parts[0].worst[0].history is None
    assert "The best baseline" not in Page(report_html(evaluation)).words()
    assert set(pictures(evaluation)) == {"forecast.png"}


def test_of_many_series_the_page_shows_which_are_hard_beside_the_best_baseline_of_each():
    evaluation = fleet_evaluation()
    (part,) = evaluation.parts
    (section,) = [one for one in sections_of(evaluation, None) if one.title == "Which series are difficult?"]
    (table,) = section.tables
    own, other = (
        {one["name"]: one["scaled_mse"] ** 0.5 for one in scored.details["by_series"]}
        for scored in part.scored.values()
    )
    assert [row.cells[0] for row in table.rows] == sorted(own, key=lambda name: -own[name])
    assert table.rows[0].cells[2] == number_text(max(own.values()), 3)
    assert all(row.own == (own[row.cells[0]] < other[row.cells[0]]) for row in table.rows)
    assert f"on {sum(own[name] < other[name] for name in own)} of 3 series" in " ".join(section.words)
    text = Page(report_html(evaluation)).words()
    assert all(name in text for name in HOSTILE)
