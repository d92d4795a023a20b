"""What `edgelstm predict` and `inspect` answer for each task."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from edgelstm.contract import Metrics
from edgelstm.errors import InputError
from edgelstm.export.pack import pack
from edgelstm.runtime import Predictor, parse_model_file
from tests.attack.fresh import CLASSES, STEPS, model_file
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.resealed import altered
from tests.runtime.timed import NOON, WINDOW, make_timed, running, total

KINDS = {
    "quantiles": lambda: model_file(kind="quantile"),
    "classes": lambda: model_file(kind="class", lengths=True),
    "whole classes": lambda: model_file(kind="class"),
    "carried classes": lambda: model_file("int8w", "carried", kind="class"),
    "labels": lambda: model_file("int8", "carried", kind="label"),
    "window labels": lambda: model_file(kind="label", bidirectional=True),
    "times": lambda: make_timed().content,
    "carried times": lambda: make_timed("carried").content,
}


@pytest.fixture
def file(tmp_path):
    """Writes a model file of a kind, its contract altered if asked; gives its path and the predictor."""

    def write(kind, change=None):
        path = tmp_path / f"{kind.replace(' ', '-')}.onnx"
        path.write_bytes(KINDS[kind]())
        if change is not None:
            path.write_bytes(altered(path, "edgelstm.contract", change))
        return path, Predictor(parse_model_file(path.read_bytes()))

    return write


def drawn(rows, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (rows, 2)).astype(np.float32)


def table_of(*columns, header="temperature,pressure"):
    return header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def rows_of(process):
    assert process.returncode == 0, process.stderr
    return list(csv.DictReader(io.StringIO(process.stdout)))


def numbers(rows, names):
    return np.array([[np.float32(row[name]) for name in names] for row in rows])


# Classify.


def test_a_table_is_one_sequence_with_one_class_and_the_probability_of_each(cli_here, file, tmp_path):
    path, predictor = file("classes")
    x = drawn(STEPS - 1)
    (tmp_path / "day.csv").write_text(table_of(*x.T))
    (row,) = rows_of(cli_here("predict", path, "day.csv"))
    expected = predictor.predict(np.concatenate([x, x[:1]]), STEPS - 1)
    assert list(row) == ["class", *CLASSES]
    np.testing.assert_allclose(numbers([row], CLASSES)[0], expected, atol=1e-6)
    assert row["class"] == predictor.label(expected) == CLASSES[expected.argmax()]


@pytest.mark.parametrize("kind", ["classes", "carried classes"])
def test_each_series_of_a_table_gets_its_class(cli_here, file, kind):
    path, predictor = file(kind)
    parts = {"a": drawn(6, 1), "b": drawn(2, 2), "007": drawn(1, 3)}
    names = [name for name, x in parts.items() for _ in x]
    text = table_of(names, *np.concatenate(list(parts.values())).T, header="unit,temperature,pressure")
    found = rows_of(cli_here("predict", path, "-", "--series", "unit", input=text))
    assert [row["unit"] for row in found] == list(parts)
    expected = [predictor.predict(x) for x in parts.values()]
    expected = [y[-1] if y.ndim == 2 else y for y in expected]
    np.testing.assert_allclose(numbers(found, CLASSES), expected, atol=1e-6)


def test_series_of_a_format_that_has_many_are_classified_one_by_one(cli_here, file, tmp_path):
    def rename(contract):
        for i, channel in enumerate(contract["inputs"]):
            channel["name"] = f"dim_{i}"

    path, predictor = file("classes", rename)
    x = drawn(3, 4)
    header = "@problemName x\n@timestamps false\n@univariate false\n@dimensions 2\n@equalLength true\n@seriesLength 3\n"
    line = ":".join(",".join(map(str, column)) for column in x.T)
    (tmp_path / "x.ts").write_text(f"{header}@classLabel true off on\n@data\n{line}:on\n{line}:off\n")
    found = rows_of(cli_here("predict", path, "x.ts"))
    assert [row["series"] for row in found] == ["1", "2"]
    np.testing.assert_allclose(numbers(found, CLASSES), [predictor.predict(x)] * 2, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "rows", "expected"),
    [
        ("classes", STEPS + 1, "got 7; if these are several series, name the column"),
        ("whole classes", STEPS - 1, "series stdin: expected 6 samples"),
        ("whole classes", STEPS + 1, "series stdin: expected 6 samples"),
    ],
)
def test_a_sequence_of_another_length_is_refused(cli_here, file, kind, rows, expected):
    path, _ = file(kind)
    assert_one_line_and_exit_2(cli_here("predict", path, "-", input=table_of(*drawn(rows).T)), expected)


def test_windows_without_a_step_are_refused_in_words_of_steps(file):
    _, predictor = file("classes")
    with pytest.raises(InputError, match=r"^expected at least one row and one step, got shape \(0, 2\)$"):
        predictor.predict(np.zeros((0, 2), np.float32))


def test_predictor_label_names_classes_of_any_shape_and_nothing_where_there_is_no_answer(file):
    _, predictor = file("labels")
    shares = np.array([[[0.2, 0.5, 0.3], [np.nan] * 3], [[0.1, 0.1, 0.8], [0.5, 0.3, 0.2]]])
    assert predictor.label(shares).tolist() == [["on", ""], ["nobody knows", "off"]]
    assert predictor.label([0.2, 0.5, 0.3]) == "on"
    assert predictor.label(np.zeros((0, 3))).shape == (0,)
    for wrong in (0.5, [0.5, 0.5], [["a"] * 3], [[0.1, 0.2, 0.3, 0.4]]):
        with pytest.raises(InputError):
            predictor.label(wrong)
    for kind in ("quantiles", "times"):
        with pytest.raises(InputError, match=r"^label: this file answers with (quantile|number)s, not with classes$"):
            file(kind)[1].label([[0.2, 0.5, 0.3]])


# Label.


def test_every_row_is_labelled_with_the_state_carried_over_the_table(cli_here, file):
    path, predictor = file("labels")
    x = drawn(40)
    found = rows_of(cli_here("predict", path, "-", input=table_of(*x.T)))
    stream = predictor.stream()
    expected = np.stack([stream.step(sample) for sample in x])
    assert list(found[0]) == ["row", "class", *CLASSES]
    assert [row["row"] for row in found] == [str(i + 1) for i in range(40)]
    np.testing.assert_array_equal(numbers(found, CLASSES), expected)
    assert [row["class"] for row in found] == predictor.label(expected).tolist()


def test_the_state_of_each_series_begins_anew(cli_here, file):
    path, predictor = file("labels")
    x, names = drawn(9), ["1"] * 4 + ["2"] * 5
    text = table_of(names, *x.T, header="unit,temperature,pressure")
    found = rows_of(cli_here("predict", path, "-", "--series", "unit", input=text))
    alone = [predictor.stream(), predictor.stream()]
    expected = np.stack([alone[name == "2"].step(sample) for name, sample in zip(names, x, strict=True)])
    assert [row["row"] for row in found] == [*"1234", *"12345"]
    np.testing.assert_array_equal(numbers(found, CLASSES), expected)


def test_a_file_that_labels_windows_goes_through_a_table_window_by_window(cli_here, file):
    path, predictor = file("window labels")
    x = drawn(2 * STEPS + 2)
    found = rows_of(cli_here("predict", path, "-", input=table_of(*x.T)))
    expected = np.concatenate([predictor.predict(x[:STEPS]), predictor.predict(x[STEPS : 2 * STEPS])])
    last = predictor.predict(x[-STEPS:])[-2:]
    np.testing.assert_allclose(numbers(found, CLASSES), np.concatenate([expected, last]), atol=1e-6)
    process = cli_here("predict", path, "-", input=table_of(*drawn(STEPS - 1).T))
    assert_one_line_and_exit_2(process, "series stdin: expected at least 6 samples")


def test_labels_come_with_the_time_of_their_row_and_no_gap_knows_the_future(cli_here, file):
    path, predictor = file("labels")
    x = drawn(5)
    values = x.astype(object)
    values[2, 0] = ""
    minutes = [str(np.datetime64("2024-02-28T23:58:00") + np.timedelta64(i, "m")) for i in range(5)]
    text = table_of(minutes, *values.T, header="when,temperature,pressure")
    found = rows_of(cli_here("predict", path, "-", "--time", "when", "--missing", "interpolate", input=text))
    assert [row["time"] for row in found] == minutes
    x[2, 0] = x[1, 0]
    stream = predictor.stream()
    np.testing.assert_array_equal(numbers(found, CLASSES), np.stack([stream.step(sample) for sample in x]))


@pytest.mark.parametrize(("kind", "why"), [("classes", "one answer for each series"), ("labels", "every row anyway")])
def test_all_is_for_forecasts(cli_here, file, kind, why):
    path, _ = file(kind)
    process = cli_here("predict", path, "-", "--all", input=table_of(*drawn(STEPS).T))
    assert_one_line_and_exit_2(process, why)


# Forecast.


def test_quantiles_have_a_column_each_and_formats_of_every_kind(cli_here, file, tmp_path):
    path, predictor = file("quantiles")
    x = drawn(STEPS)
    (tmp_path / "x.csv").write_text(table_of(*x.T))
    names = [channel.name for channel in predictor.contract.outputs]
    assert names[:2] == ["temperature q0.1", "temperature q0.5"]
    found = rows_of(cli_here("predict", path, "x.csv"))
    assert list(found[0]) == ["origin", "row", "step", *names]
    np.testing.assert_allclose(numbers(found, names), predictor.predict(x), atol=1e-6)
    lines = cli_here("predict", path, "x.csv", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_each_series_is_forecast_from_its_last_row(cli_here, file):
    path, predictor = file("quantiles")
    x, names = drawn(2 * STEPS + 3), ["1"] * STEPS + ["2"] * (STEPS + 3)
    text = table_of(names, *x.T, header="unit,temperature,pressure")
    found = rows_of(cli_here("predict", path, "-", "--series", "unit", input=text))
    columns = [channel.name for channel in predictor.contract.outputs]
    expected = np.concatenate([predictor.predict(x[:STEPS]), predictor.predict(x[-STEPS:])])
    np.testing.assert_allclose(numbers(found, columns), expected, atol=1e-6)
    assert [(row["unit"], row["origin"]) for row in found] == [("1", "6")] * 3 + [("2", "9")] * 3
    short = table_of(["1"] * STEPS + ["2"], *x[: STEPS + 1].T, header="unit,temperature,pressure")
    process = cli_here("predict", path, "-", "--series", "unit", input=short)
    assert {row["unit"] for row in rows_of(process)} == {"1"}
    assert "skipped: 2: expected at least 6 rows" in process.stderr


def planned(contract):
    contract["inputs"][1]["ahead"] = 2


def test_what_is_known_ahead_is_taken_from_later_rows(cli_here, file):
    path, predictor = file("quantiles", planned)
    columns = [channel.name for channel in predictor.contract.outputs]
    x = drawn(STEPS + 2)
    given = np.stack([x[:STEPS, 0], x[2:, 1]], axis=1)
    measured = [*x[:STEPS, 0].astype(str), "", ""]
    found = rows_of(cli_here("predict", path, "-", input=table_of(measured, x[:, 1])))
    np.testing.assert_allclose(numbers(found, columns), predictor.predict(given), atol=1e-6)
    assert {row["origin"] for row in found} == {"6"}
    whole = drawn(STEPS + 3)
    found = rows_of(cli_here("predict", path, "-", "--all", input=table_of(*whole.T)))
    given = np.stack([whole[:-2, 0], whole[2:, 1]], axis=1)
    expected = np.concatenate([predictor.predict(given[:STEPS]), predictor.predict(given[1:])])
    np.testing.assert_allclose(numbers(found, columns), expected, atol=1e-6)


def test_a_table_that_ends_before_what_must_be_known_ahead_is_refused(cli_here, file):
    path, _ = file("quantiles", planned)
    x = drawn(STEPS + 3)
    expected = "a forecast from the last sample (row 9) needs 'pressure' up to row 11, but the table ends at row 9"
    assert_one_line_and_exit_2(cli_here("predict", path, "-", input=table_of(*x.T)), expected)
    process = cli_here("predict", path, "-", "--all", input=table_of(*x[: STEPS + 1].T))
    assert_one_line_and_exit_2(process, "known 2 steps ahead, so at least 8 rows, got 7")
    plan = [*x[:STEPS, 1].astype(str), "", str(x[STEPS, 1])]
    process = cli_here("predict", path, "-", input=table_of([*x[:STEPS, 0].astype(str), "", ""], plan))
    assert_one_line_and_exit_2(process, "column 'pressure' at row 5")


@pytest.mark.parametrize("kind", ["times", "carried times"])
def test_a_file_of_times_takes_them_from_the_table(cli_here, file, kind):
    path, _ = file(kind)
    x = np.random.default_rng(0).integers(-8, 8, (7, 2)).astype(np.float32)
    seconds = NOON + 10 * np.arange(7)
    text = table_of(seconds, *x.T, header="when,a,b")
    found = rows_of(cli_here("predict", path, "-", "--time", "when", "--all", input=text))
    if kind == "times":
        windows = [slice(i, i + WINDOW) for i in range(7 - WINDOW + 1)]
        expected = total([x[w] for w in windows], [seconds[w] for w in windows])
    else:
        expected = running(x[np.newaxis], seconds[np.newaxis])
    np.testing.assert_array_equal(numbers(found, ["total"]).ravel(), expected.ravel())
    process = cli_here("predict", path, "-", input=text)
    assert_one_line_and_exit_2(
        process, "this file needs the time of each sample: name the timestamp column with --time"
    )


def test_a_column_of_series_that_the_answer_has_as_well_is_refused(cli_here, file):
    path, _ = file("labels")
    text = table_of(["1"] * 3, *drawn(3).T, header="class,temperature,pressure")
    assert_one_line_and_exit_2(
        cli_here("predict", path, "-", "--series", "class", input=text),
        "--series class: the output has a column 'class' too",
    )


def test_a_class_that_is_called_like_a_column_of_the_answer_is_refused(cli_here, file):
    path, _ = file("labels", lambda contract: contract["outputs"][0].update(name="row"))
    process = cli_here("predict", path, "-", input=table_of(*drawn(3).T))
    assert_one_line_and_exit_2(process, "the output 'row' has the name of a result column (time, row, class)")


# Words.

SCORES = {
    "classes": {"accuracy": 0.9876, "macro_f1": 0.8765, "log_loss": 0.1234},
    "labels": {"accuracy": 0.9876, "macro_f1": 0.8765, "log_loss": 0.1234},
    "quantiles": {"pinball": 1.0, "scaled_pinball": 0.2345, "coverage": 0.8123, "scaled_mae": 0.3456, "mae": 2.0},
}
WORDS = {
    "classes": ("up to 6 steps of", "one for each sequence, one of 3 classes: off, on, nobody knows", "macro F1"),
    "labels": ("at every step one of 3 classes", "test, 42 series", "log loss"),
    "quantiles": (
        *("pressure (known 2 steps ahead)", "3 steps of temperature, pressure, quantiles 0.1, 0.5, 0.9"),
        *("coverage", "test, 42 windows", "scaled pinball loss", "81.2 %", "scaled MAE", "0.3456"),
    ),
    "times": ("4 steps of a, b, one every 10 s, each with its time (UTC)", "1 step of total"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_inspect_tells_what_a_file_of_every_task_sees_and_answers_and_how_good_it_is(cli_here, file, kind):
    path, predictor = file(kind)
    if kind in SCORES:
        score = SCORES[kind]
        coarse = {name: value for name, value in score.items() if name != "log_loss"}
        metrics = Metrics("test", 42, score, score, {"majority": coarse})
        outputs = predictor.contract.outputs
        inputs = predictor.contract.inputs
        if kind == "quantiles":
            inputs = (inputs[0], inputs[1]._replace(ahead=2))
        contract = replace(predictor.contract, metrics=(metrics,), outputs=outputs, inputs=inputs)
        model = onnx.ModelProto.FromString(path.read_bytes())
        path.write_bytes(pack(model, contract, predictor.golden)[0])
    words = cli_here("inspect", path).stdout
    for expected in WORDS[kind]:
        assert expected in words
    if kind in ("classes", "labels"):
        (line,) = [line for line in words.splitlines() if line.startswith("majority")]
        assert line.split() == ["majority", "98.8", "%", "0.8765", "-"]


def test_inspect_tells_where_training_capped_its_target(cli_here, file):
    path, _ = file("times", lambda contract: contract["outputs"][0].update(cap=125.0, unit="cycles"))
    assert "1 step of total (cycles, capped at 125)" in cli_here("inspect", path).stdout


@pytest.mark.parametrize("kind", KINDS)
def test_verify_replays_files_of_every_task(cli_here, file, kind):
    path, predictor = file(kind)
    process = cli_here("verify", path)
    assert process.returncode == 0, process.stdout
    assert process.stdout.count(": ok; ") == len(predictor.contract.outputs)
