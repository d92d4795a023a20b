"""Remarks on a column of numbers before a training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.columns.remarks import sentinel_of
from tests.data.readers.texts import table

RNG = np.random.default_rng(0)
TEMPERATURES = np.round(RNG.normal(15, 8, 2000), 1)


def with_value(values, value, every):
    values = values.copy()
    values[::every] = value
    return values


@pytest.mark.parametrize("value", [-200.0, -9999.0, -999.0, 9999.0, 65535.0, -99.9])
def test_one_value_far_from_all_others_and_often_suggests_itself(value):
    assert sentinel_of(with_value(TEMPERATURES, value, 100)) == value


@pytest.mark.parametrize(
    "values",
    [
        TEMPERATURES,
        with_value(TEMPERATURES, -200.0, 1999),
        np.maximum(TEMPERATURES, 0),
        np.where(RNG.random(2000) < 0.5, 0.0, RNG.normal(5000, 10, 2000)),
        np.repeat([0.0, 1.0], 100),
        np.array([1.0, 2.0, 3.0, 1000.0] * 50),
        np.exp(RNG.normal(0, 3, 2000)),
        np.full(10, np.nan),
        np.array([]),
    ],
)
def test_ordinary_columns_have_no_such_value(values):
    assert sentinel_of(values) is None


def test_the_option_is_named_and_the_value_is_kept():
    values = with_value(TEMPERATURES, -200.0, 100)
    found = table("t;v\n" + "".join(f"{n};{value}\n".replace(".", ",") for n, value in enumerate(values)))
    (remark,) = found.remarks("v")
    assert "-200 occurs in 20 of 2,000 rows" in remark
    assert remark.endswith("give --na -200")
    assert found.numbers("v").min() == -200


def test_a_value_that_is_typed_is_no_longer_suggested():
    values = with_value(TEMPERATURES, -200.0, 100)
    found = table("t,v\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values)), na=("-200",))
    assert found.remarks("v") == ("column 'v': read as missing: -200 (20)",)


def test_words_for_missing_and_for_one_and_zero_are_said():
    found = table("t,v,w,x\n0,unknown,on,1\n1,7,off,2\n2,unknown,on,\n3,5,on,4\n")
    assert found.remarks("v") == ("column 'v': read as missing: unknown (2)",)
    assert found.remarks("w") == ("column 'w': on is 1, off is 0",)
    assert found.remarks("x") == ()


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), max_size=50), st.floats(0.1, 1e3))
def test_the_unit_does_not_matter(values, scale):
    values = np.array(values)
    found, scaled = sentinel_of(values), sentinel_of(values * scale)
    # Differences of close numbers may be rounded to 0: then the two are not comparable.
    if len(np.unique(values)) == len(np.unique(values * scale)) and found is not None and scaled is not None:
        assert scaled == pytest.approx(found * scale)
