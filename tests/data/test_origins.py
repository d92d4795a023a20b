"""Origins: who gets one, and that nothing is lost by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.contract import Channel
from edgelstm.data.origins import CLOSER, find_origins, like_channels, origin_of
from edgelstm.data.rows import rows_of
from edgelstm.data.series import Series

WAVE = np.sin(np.arange(400) / 7)


def series_of(**columns):
    values = np.stack(list(columns.values()), axis=1).astype(np.float64)
    return Series(tuple(columns), values, None, None, None)


@pytest.mark.parametrize(
    "values",
    [
        WAVE,
        1013.25 + WAVE,
        2388.1 + 0.07 * np.random.default_rng(0).normal(size=400),  # the fan speed of cmapss
        101_325 + 30 * WAVE,
        np.cumsum(np.abs(WAVE)) * 1e6,  # a counter from 0: an origin would win nothing
        np.full(400, 1e9),
        np.full(400, np.nan),
        0.3 + 5e-17 * (np.arange(400) % 2),  # constant, but for the rounding of float64
        1e-10 * WAVE,
        np.zeros(0),
        np.array([1e9]),
    ],
)
def test_what_float32_holds_well_enough_has_no_origin(values):
    assert origin_of([values]) == 0


@pytest.mark.parametrize(
    "values", [1e9 + WAVE, -5e6 + 0.01 * WAVE, 1_234_567.89 + np.cumsum(0.5 + 0 * WAVE), 1 + 1e-8 * WAVE]
)
def test_what_float32_would_lose_has_a_round_origin_among_its_values(values):
    origin = origin_of([values])
    assert values.min() - np.ptp(values) <= origin <= values.max() + np.ptp(values)
    assert len(repr(origin).rstrip("0").replace("-", "").replace(".", "")) <= 12


@given(st.floats(-1e15, 1e15), st.floats(1e-6, 1e6), st.integers(0, 2**32))
def test_with_its_origin_float32_holds_every_change(level, size, seed):
    values = level + size * np.random.default_rng(seed).normal(size=50)
    origin = origin_of([values])
    if origin:
        assert CLOSER * np.ptp(values) <= np.abs(values).max()
        left = (values - origin).astype(np.float32).astype(np.float64)
        resolution = np.spacing(np.abs(values).max())  # of the float64 that the values came in
        assert np.abs(left + origin - values).max() <= max(2 * resolution, 1e-6 * np.ptp(values))


@pytest.mark.parametrize(("change", "has_one"), [(28.0, True), (30.0, False)])
def test_rounding_by_a_hundredth_of_a_change_is_good_enough(change, has_one):
    """Near 1e7, float32 has whole numbers, which round by 1 / sqrt(12) = 0.289."""
    assert bool(origin_of([1e7 + change * (np.arange(100) % 2)])) == has_one


@pytest.mark.parametrize(("span", "has_one"), [(0.99e7, True), (1.01e7, False)])
def test_an_origin_needs_a_level_sixteen_times_the_span(span, has_one):
    assert bool(origin_of([np.linspace(1.6e8 - span, 1.6e8, 100_000)])) == has_one


@pytest.mark.parametrize(("power", "has_one"), [(-39, True), (-41, False)])
def test_what_varies_by_the_rounding_of_its_source_is_constant(power, has_one):
    assert bool(origin_of([1 + 2.0**power * (np.arange(100) % 2)])) == has_one


def test_the_jump_from_one_series_to_the_next_is_no_change():
    far_apart = [1e9 + 1e-3 * WAVE, 1e9 + 20 + 1e-3 * WAVE]
    assert origin_of(far_apart) != 0


def test_origins_are_found_by_name_for_those_that_need_one():
    found = find_origins([series_of(near=WAVE, far=1e9 + WAVE)], ("near", "far", "far"))
    assert found == {"far": 1e9}


def test_rows_are_taken_less_the_origin_before_they_become_float32():
    series = replace(series_of(near=WAVE, far=1e9 + WAVE), origins={"far": 1e9})
    rows, _ = rows_of(series, ("far", "near"), 0, 400, "error")
    np.testing.assert_array_equal(rows[:, 0], (series.values[:, 1] - 1e9).astype(np.float32))
    np.testing.assert_array_equal(rows[:, 1], WAVE.astype(np.float32))


def test_a_series_takes_the_origins_of_a_contract_by_column():
    channels = (Channel("v q0.1", None, "float32", None, column="v", origin=5.0), Channel("w", None, "float32", None))
    assert like_channels(series_of(v=WAVE, w=WAVE), channels).origins == {"v": 5.0}
