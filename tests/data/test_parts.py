"""Parts of a series in the order of time: no target crosses a border, and nothing from later leaks earlier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgelstm.data.baselines import Ridge
from edgelstm.data.gaps import POLICIES
from edgelstm.data.parts import NAMES, Cut, fraction_borders, split
from edgelstm.data.scaling import measure
from edgelstm.data.series import Series, statistics
from edgelstm.errors import DataError

CUT = Cut(steps=4, horizon=2, stride=1, overlap=False, missing="drop")


def series_of(values, names=("a",)):
    return Series(names, np.asarray(values, np.float64).reshape(len(values), -1), None, None, None)


def cut_with(**changes):
    return Cut(**{**vars(CUT), **changes})


@st.composite
def cuttings(draw):
    rows = draw(st.integers(20, 60))
    borders = tuple(sorted(draw(st.lists(st.integers(1, rows), min_size=1, max_size=3))))
    cut = Cut(
        steps=draw(st.integers(1, 5)),
        horizon=draw(st.integers(1, 4)),
        stride=draw(st.integers(1, 3)),
        overlap=draw(st.booleans()),
        missing=draw(st.sampled_from(POLICIES)),
    )
    return rows, borders, cut


def parts_of(rows, borders, cut):
    """Split a series whose every sample is the number of its row."""
    try:
        return split(series_of(np.arange(rows)), ("a",), ("a",), borders, cut)
    except DataError as error:
        assume("part has" not in str(error))
        raise


@given(cuttings())
def test_no_target_crosses_a_border(cutting):
    rows, borders, cut = cutting
    for part in parts_of(rows, borders, cut):
        targets = part.windows.y()
        assert targets.min() >= part.start
        assert targets.max() < part.end


@given(cuttings())
def test_overlap_reaches_back_for_inputs_alone_and_never_in_training(cutting):
    rows, borders, cut = cutting
    for part in parts_of(rows, borders, cut):
        inputs, targets = part.windows.x(), part.windows.y()
        reach = cut.steps if cut.overlap and part.name != "training" else 0
        assert inputs.min() >= max(part.start - reach, 0)
        assert inputs.max() < part.end - cut.horizon
        np.testing.assert_array_equal(targets[:, 0, 0], inputs[:, -1, 0] + 1)


@given(cuttings())
def test_the_parts_lie_end_to_end_and_use_every_window_there_is(cutting):
    rows, borders, cut = cutting
    parts = parts_of(rows, borders, cut)
    edges = [0, *borders]
    expected = [(n, a, b) for n, a, b in zip(NAMES, edges, borders, strict=False) if b > a]
    assert [(part.name, part.start, part.end) for part in parts] == expected
    for part in parts:
        first = part.start - (cut.steps if cut.overlap and part.name != "training" else 0)
        starts = range(max(first, 0), part.end - cut.steps - cut.horizon + 1, cut.stride)
        assert part.windows.x()[:, 0, 0].tolist() == list(starts)
        assert part.first_row == max(first, 0)


def test_with_overlap_the_first_target_of_a_part_is_its_first_row():
    parts = split(series_of(np.arange(40)), ("a",), ("a",), (20, 30, 40), cut_with(overlap=True))
    assert [int(part.windows.y()[0, 0, 0]) for part in parts] == [4, 20, 30]


@given(rows=st.integers(1, 5000), shares=st.tuples(st.integers(1, 100), st.integers(0, 100), st.integers(0, 100)))
def test_fractions_of_a_whole_use_every_row(rows, shares):
    total = sum(shares)
    borders = fraction_borders(rows, *(share / total for share in shares))
    assert borders[-1] == rows
    previous = 0
    for border, share in zip(borders, shares, strict=True):
        assert abs(border - previous - rows * share / total) <= 1
        previous = border


def test_fractions_may_leave_rows_unused():
    assert fraction_borders(100, 0.5, 0.25, 0) == (50, 75, 75)


@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.2), (0, 0.5, 0.5), (0.5, -0.1, 0.5), (-1, 1, 1)])
def test_fractions_that_make_no_sense_are_refused(fractions):
    with pytest.raises(DataError, match="split: expected a training fraction above 0"):
        fraction_borders(100, *fractions)


@pytest.mark.parametrize("borders", [(20, 10), (0, 10), (10, 41), (-5, 10)])
def test_borders_out_of_order_or_outside_are_refused(borders):
    with pytest.raises(DataError, match="split: expected growing borders within 40 rows"):
        split(series_of(np.arange(40)), ("a",), ("a",), borders, CUT)


@pytest.mark.parametrize(("borders", "name"), [((5,), "training"), ((20, 25), "validation"), ((20, 30, 35), "test")])
def test_a_part_too_short_for_one_window_is_named(borders, name):
    with pytest.raises(DataError, match=rf"the {name} part has 5 rows, one window takes 6 \(4 steps \+ horizon 2\)"):
        split(series_of(np.arange(40)), ("a",), ("a",), borders, CUT)


def test_a_part_of_one_window_is_enough():
    (part,) = split(series_of(np.arange(40)), ("a",), ("a",), (6,), CUT)
    assert len(part.windows) == 1


def test_a_part_without_a_whole_window_says_what_would_help():
    values = np.arange(40.0)
    values[::3] = np.nan
    with pytest.raises(DataError, match=r"the training part has no window without a missing sample.*interpolate"):
        split(series_of(values), ("a",), ("a",), (20, 40), CUT)


def known_of(part, names):
    """Everything that is measured on a part: windows, scaling, statistics, what a ridge has learned."""
    windows = part.windows
    found = [windows.x_rows, windows.y_rows, windows.x(), windows.y(), windows.x_starts]
    for kind in ("standard", "minmax", "relative"):
        scaling = measure(kind, windows, names, names[:1])
        found += [scaling.input_offset, scaling.input_factor, scaling.output_scale, scaling.output_offset]
    found += [np.array(statistics(windows.x_rows[:, i]).quantiles) for i in range(len(names))]
    ridge = Ridge(windows, None, np.ones(1))
    found.append(ridge.forecaster(windows)(np.arange(len(windows))))
    return found


@pytest.mark.parametrize("policy", ["interpolate", "forward", "drop"])
@pytest.mark.parametrize("change", ["deleted", "missing", "another level", "outliers"])
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("border", [60, 90])
def test_nothing_after_a_border_changes_what_is_learned_before_it(policy, change, overlap, border):
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(120, 2)), axis=0)
    for gap in (slice(20, 23), slice(57, 63), slice(88, 92)):  # inside, and straddling each border
        values[gap, 0] = np.nan
    changed = values.copy()
    changed[border:] = {
        "deleted": np.nan,
        "missing": np.nan,
        "another level": values[border:] * 7 + 1000,
        "outliers": rng.normal(size=values[border:].shape) * 1e6,
    }[change]
    if change == "deleted":
        changed = changed[:border]
    cut, names = cut_with(missing=policy, overlap=overlap), ("a", "b")
    borders = tuple(end for end in (60, 90) if end <= border)
    before = split(series_of(values, names), names, names[:1], borders, cut)
    after = split(series_of(changed, names), names, names[:1], borders, cut)
    for part, other in zip(before, after, strict=True):
        for one, two in zip(known_of(part, names), known_of(other, names), strict=True):
            np.testing.assert_array_equal(one, two)
    if len(borders) == 2:
        ridges = [Ridge(training.windows, validation.windows, np.ones(1)) for training, validation in (before, after)]
        assert ridges[0].alpha == ridges[1].alpha


@pytest.mark.parametrize("policy", ["interpolate", "forward", "drop"])
def test_training_is_the_same_with_and_without_the_parts_behind_it(policy):
    values = np.cumsum(np.random.default_rng(1).normal(size=120))
    values[57:64] = np.nan
    cut = cut_with(missing=policy)
    whole = split(series_of(values), ("a",), ("a",), (60, 90, 120), cut)[0]
    alone = split(series_of(values[:60]), ("a",), ("a",), (60,), cut)[0]
    for one, two in zip(known_of(whole, ("a",)), known_of(alone, ("a",)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_under_the_policy_error_a_gap_after_the_border_is_no_business_of_training():
    values = np.arange(40.0)
    values[20:24] = np.nan
    (part,) = split(series_of(values), ("a",), ("a",), (20,), cut_with(missing="error"))
    assert len(part.windows) == 15
    values[19] = np.nan
    with pytest.raises(DataError, match="the first in column 'a' at row 20"):
        split(series_of(values), ("a",), ("a",), (20,), cut_with(missing="error"))
