"""A table becomes what a file of each task is evaluated on; what it cannot be is refused in one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm.answers import read_examples
from edgelstm.errors import DataError, InputError
from tests.tiny_runs import contract_of


def table(tmp_path, **columns):
    """A CSV of some columns."""
    path = tmp_path / "data.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows), ""]))
    return path


def wave(count, phase=0.0):
    return np.sin(np.arange(count) / 3 + phase).round(6)


def with_column(contract, column="kind"):
    return replace(contract, outputs=tuple(channel._replace(column=column) for channel in contract.outputs))


def test_a_forecast_gets_windows_over_the_whole_table(tmp_path):
    days = np.datetime64("2001-01-01") + np.arange(30)
    path = table(tmp_path, day=days, p=wave(30), q=wave(30, 1), u=wave(30, 2), v=wave(30, 3))
    found = read_examples(path, contract_of("forecast", "number"), time="day")
    assert len(found.examples) == 30 - 8 - 2 + 1
    np.testing.assert_allclose(found.examples.y()[0, :, 0], wave(30, 2)[8:10], rtol=1e-5)
    assert found.examples.times_of()[0, 0] == days[0].astype("datetime64[s]").astype(int)
    assert len(found.sha256) == 64


def test_quantiles_are_read_from_the_column_they_are_about(tmp_path):
    path = table(tmp_path, p=wave(30), q=wave(30, 1), co2=wave(30, 2))
    assert read_examples(path, contract_of("forecast", "quantile")).examples.y().shape == (21, 2, 1)


def test_a_gap_is_filled_but_neither_scored_nor_a_place_to_forecast_from(tmp_path):
    u = [*map(str, wave(30))]
    u[20] = ""
    path = table(tmp_path, p=wave(30), q=wave(30, 1), u=u, v=wave(30))
    windows = read_examples(path, contract_of("forecast", "number"), gaps="forward").examples
    ends = windows.y_starts
    assert not {19, 20} & set(ends)
    with pytest.raises(DataError, match="fill them with --missing"):
        read_examples(path, contract_of("forecast", "number"))


def test_labels_go_by_series_and_an_empty_class_is_unknown(tmp_path):
    path = table(tmp_path, unit=["x"] * 4 + ["y"] * 3, p=wave(7), q=wave(7), kind=["a", "c", "", "b", "a", "a", "b"])
    found = read_examples(path, with_column(contract_of("label", "class", "carried")), series="unit").examples
    assert found.names == ("x", "y")
    assert found.targets.tolist() == [0, 2, -1, 1, 0, 0, 1]


def test_to_classify_each_series_has_one_class(tmp_path):
    path = table(tmp_path, unit=["x"] * 4 + ["y"] * 3, p=wave(7), q=wave(7), kind=["b"] * 4 + ["c"] * 3)
    found = read_examples(path, contract_of("classify", "class", lengths=True), series="unit", label="kind").examples
    assert (found.targets.tolist(), found.steps) == ([1, 2], 8)


def test_numbers_are_labelled_as_they_are(tmp_path):
    path = table(tmp_path, p=wave(5), q=wave(5), u=wave(5), v=["1", "", "3", "4", "5"])
    truth = read_examples(path, contract_of("label", "number", "carried")).examples.truth(0)
    assert np.isnan(truth[1, 1])
    np.testing.assert_allclose(truth[:, 0], wave(5), rtol=1e-6)


TWO = {"p": wave(30), "q": wave(30)}
SHORT = {"p": wave(5), "q": wave(5), "co2": wave(5)}
REFUSED = {
    "a missing target": ("forecast", "number", TWO, {}, "no column 'u'"),
    "too short": ("forecast", "quantile", SHORT, {}, "one window needs 10"),
    "an unseen class": ("label", "class", {**TWO, "kind": ["a", "d"] * 15}, {}, "classes that training lacks: 'd'"),
    "one class missing": ("classify", "class", {**TWO, "kind": [""] * 30}, {}, "its class is missing"),
    "no class known": ("label", "class", {**TWO, "kind": [""] * 30}, {}, "no row with a known truth"),
    "labels of numbers": ("label", "number", TWO, {"label": "p"}, "--label needs a file that answers with classes"),
    "a policy that is none": ("label", "number", TWO, {"gaps": "guess"}, "--missing: expected one of"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_a_table_that_cannot_be_scored_is_refused(case, tmp_path):
    task, answer, columns, options, expected = REFUSED[case]
    contract = contract_of(task, answer, "carried" if task == "label" else "window", lengths=task == "classify")
    contract = with_column(contract) if answer == "class" else contract
    with pytest.raises((DataError, InputError)) as caught:
        read_examples(table(tmp_path, **columns), contract, **options)
    assert expected in str(caught.value)


def test_a_file_that_does_not_name_its_column_asks_for_it(tmp_path):
    path = table(tmp_path, **TWO, kind=["a"] * 30)
    with pytest.raises(InputError, match="give --label"):
        read_examples(path, contract_of("classify", "class", lengths=True))


def test_another_period_than_in_training_is_refused(tmp_path):
    path = table(
        tmp_path, **TWO, u=wave(30), v=wave(30), t=np.datetime64("2024-01-01") + np.arange(30) * np.timedelta64(60, "s")
    )
    with pytest.raises(DataError, match=r"a sample every 3600 s.*one every 60 s"):
        read_examples(path, replace(contract_of("forecast", "number"), sample_period_s=3600.0), time="t")


def test_one_probability_is_no_class_for_each(tmp_path):
    contract = contract_of("classify", "class", lengths=True)
    with pytest.raises(InputError, match="a single probability"):
        read_examples(table(tmp_path, **TWO), replace(contract, outputs=contract.outputs[:1]))
