"""Parts of a series in the order of time: no target crosses a border, and nothing from later leaks earlier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgelstm.data.baselines import Ridge
from edgelstm.data.parts import NAMES, Cut, fraction_borders, held_out_each, split, split_each
from edgelstm.data.scaling import measure
from edgelstm.data.series import Series, statistics
from edgelstm.errors import DataError
from edgelstm.reading import GAPS

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
        missing=draw(st.sampled_from(GAPS)),
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
    with pytest.raises(DataError, match="split: expected ascending borders within 40 rows"):
        split(series_of(np.arange(40)), ("a",), ("a",), borders, CUT)


@pytest.mark.parametrize(("borders", "name"), [((5,), "training"), ((20, 25), "validation"), ((20, 30, 35), "test")])
def test_a_part_too_short_for_one_window_is_named(borders, name):
    with pytest.raises(DataError, match=rf"the {name} part has 5 rows, one window needs 6 \(4 steps \+ horizon 2\)"):
        split(series_of(np.arange(40)), ("a",), ("a",), borders, CUT)


def test_a_part_of_one_window_is_enough():
    (part,) = split(series_of(np.arange(40)), ("a",), ("a",), (6,), CUT)
    assert len(part.windows) == 1


def test_a_part_without_a_whole_window_says_what_would_help():
    values = np.arange(40.0)
    values[::3] = np.nan
    with pytest.raises(
        DataError, match=r"every window of the training part contains a missing sample: give --missing interpolate"
    ):
        split(series_of(values), ("a",), ("a",), (20, 40), CUT)


def known_of(part, names):
    """Everything that is measured on a part: windows, scaling, statistics, what a ridge has learned."""
    windows = part.windows
    found = [windows.x_rows, windows.y_rows, windows.x(), windows.y(), windows.x_starts]
    for kind in ("standard", "minmax", "relative"):
        scaling = measure(kind, windows, names, names[:1])
        found += [scaling.input_offset, scaling.input_factor, scaling.output_scale, scaling.output_offset]
    found += [np.array(statistics(windows.x_rows[:, i]).quantiles) for i in range(len(names))]
    ridge = Ridge(windows, None, np.ones(1), (0,))
    found.append(ridge.linear.forecaster(windows)(np.arange(len(windows))))
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
        ridges = [
            Ridge(training.windows, validation.windows, np.ones(1), (0,)) for training, validation in (before, after)
        ]
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


# Many series


def fleet_of(*lengths, start=0):
    """Series whose samples tell series and row: 1000 times the number of the series and the row."""
    made = []
    for number, length in enumerate(lengths):
        values = (1000.0 * number + np.arange(length))[:, np.newaxis]
        made.append(Series(("a",), values, None, None, None, f"series {number}"))
    return made


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(40, 60), min_size=1, max_size=4),
    overlap=st.booleans(),
    stride=st.integers(1, 3),
    gap=st.integers(0, 5),
)
def test_the_windows_of_many_series_are_those_of_each_end_to_end(lengths, overlap, stride, gap):
    series, cut = fleet_of(*lengths), cut_with(overlap=overlap, stride=stride)
    for one in series:
        one.values[5 : 5 + gap] = np.nan
    borders = [fraction_borders(length, 0.5, 0.25, 0.25) for length in lengths]
    alone = [split(one, ("a",), ("a",), ends, cut) for one, ends in zip(series, borders, strict=True)]
    for i, part in enumerate(split_each(series, ("a",), ("a",), borders, cut)):
        each = [parts[i].windows for parts in alone]
        assert part.name == NAMES[i]
        for rows in ("x", "y", "history"):
            expected = np.concatenate([getattr(windows, rows)() for windows in each])
            np.testing.assert_array_equal(getattr(part.windows, rows)(), expected)
        assert part.windows.series.tolist() == np.repeat(range(len(each)), [len(w) for w in each]).tolist()
        assert part.windows.names == tuple(one.name for one in series)
        assert (part.short, part.broken) == (0, 0)


def test_no_window_reaches_from_one_series_into_the_next():
    for part in split_each(fleet_of(40, 50, 60), ("a",), ("a",), [(20, 30, 40)] * 3, cut_with(overlap=True)):
        seen = np.concatenate([part.windows.x(), part.windows.y()], axis=1)[..., 0]
        assert (seen // 1000 == seen[:, :1] // 1000).all()
        assert (np.diff(seen) == 1).all()


def test_series_begin_and_end_when_they_like_and_the_short_ones_are_left_out_and_counted():
    series, borders = fleet_of(60, 12, 40, 40), [(30, 45, 60), (5, 10, 12), (0, 20, 40), (40, 40, 40)]
    training, validation, test = split_each(series, ("a",), ("a",), borders, CUT)
    assert training.windows.names == ("series 0", "series 3")
    assert validation.windows.names == ("series 0", "series 2")
    assert test.windows.names == ("series 0", "series 2")
    assert [part.short for part in (training, validation, test)] == [1, 1, 1]


def test_a_series_whose_every_window_is_broken_is_counted_apart():
    series = fleet_of(40, 40)
    series[1].values[::3] = np.nan
    (part,) = split_each(series, ("a",), ("a",), [(40,)] * 2, CUT)
    assert (part.short, part.broken, part.windows.names) == (0, 1, ("series 0",))


def test_a_series_of_which_only_single_steps_are_known_keeps_its_past_beside_others():
    """In its test part every window has a truth that was filled: that is unknown, and still its past."""
    series = fleet_of(60, 60)
    series[1].values[31::2] = np.nan
    cut = cut_with(missing="interpolate", overlap=True)
    (_, test) = split_each(series, ("a",), ("a",), [(30, 30, 60)] * 2, cut)
    assert test.windows.names == ("series 0", "series 1")
    assert np.isfinite(test.windows.history()).all()
    unknown = np.isnan(test.windows.y()).any(axis=(1, 2))
    assert unknown[test.windows.series == 1].any()
    assert not unknown[test.windows.series == 0].any()


def test_a_series_is_measured_by_its_own_training_spread_and_never_by_nothing():
    rng, series = np.random.default_rng(0), fleet_of(40, 40, 40, 40)
    for one, size in zip(series, (1.0, 100.0, 5.0, 1.0), strict=True):
        one.values[:] = rng.normal(size=(40, 1)) * size
    series[2].values[:] = 3.0  # constant for ever
    borders = [(20, 20, 40), (20, 20, 40), (20, 20, 40), (0, 0, 40)]
    training, test = split_each(series, ("a",), ("a",), borders, CUT)
    own = [series[0].values[:20].std(), series[1].values[:20].std()]
    np.testing.assert_allclose(training.windows.spreads[:2, 0], own)
    np.testing.assert_allclose(test.windows.spreads[:2, 0], own)
    pooled = np.concatenate([one.values[:20] for one in series[:3]]).std()
    np.testing.assert_allclose(training.windows.spreads[2], pooled)
    assert (test.windows.spreads > 0).all()
    np.testing.assert_allclose(test.windows.spreads[3], series[3].values.std())  # training never saw it


def test_nothing_behind_a_border_changes_the_spreads_that_training_knows():
    series = fleet_of(40, 40)
    series[1].values[:20] = 7.0
    before = split_each(series, ("a",), ("a",), [(20, 40)] * 2, CUT)[0].windows.spreads
    series[1].values[20:] *= 1e6
    after = split_each(series, ("a",), ("a",), [(20, 40)] * 2, CUT)[0].windows.spreads
    np.testing.assert_array_equal(before, after)


def test_a_part_in_which_no_series_has_enough_rows_is_named():
    with pytest.raises(DataError, match="the validation part has at most 5 rows per series, one window needs 6"):
        split_each(fleet_of(40, 40), ("a",), ("a",), [(20, 25, 40), (20, 23, 40)], CUT)
    with pytest.raises(DataError, match="no series has a row in the training part"):
        split_each(fleet_of(40), ("a",), ("a",), [(0, 40)], CUT)
    with pytest.raises(DataError, match="series 1: expected ascending borders within 30 rows"):
        split_each(fleet_of(40, 30), ("a",), ("a",), [(20, 40), (20, 40)], CUT)


def test_whole_series_are_held_out_measured_by_their_own_spread():
    series = fleet_of(40, 20)
    found = held_out_each(series, ("a",), ("a",), "data", CUT)
    assert found.windows.names == ("series 0", "series 1")
    np.testing.assert_allclose(found.windows.spreads[:, 0], [one.values.std() for one in series])


# Long gaps and words


def test_no_window_reaches_over_a_gap_that_is_longer_than_allowed():
    values = np.arange(60.0)
    values[10:13], values[30:34] = np.nan, np.nan
    (part,) = split(series_of(values), ("a",), ("a",), (60,), cut_with(missing="interpolate", max_gap=3))
    seen = np.concatenate([part.windows.x(), part.windows.y()], axis=1)[..., 0]
    assert set(range(30, 34)).isdisjoint(seen.ravel().astype(int))
    assert {10, 11, 12} <= set(seen.ravel().astype(int))
    assert (np.diff(seen) == 1).all()


def test_where_every_window_touches_a_long_gap_the_option_is_named():
    values = np.arange(40.0)
    values[::3], values[1::3] = np.nan, np.nan
    with pytest.raises(
        DataError, match="every window of the training part contains a gap of more than 1 sample: raise --max-gap"
    ):
        split(series_of(values), ("a",), ("a",), (40,), cut_with(missing="interpolate", max_gap=1))


def test_a_word_goes_on_through_a_gap_and_is_never_half_of_two():
    values = np.array([[1.0, 1.0, 0.0], [np.nan] * 3, [np.nan] * 3, [4.0, 0.0, 1.0]])
    series = Series(("v", "wind=NW", "wind=SE"), values, None, None, None)
    cut = Cut(3, 1, 1, False, "interpolate", categories=("wind=NW", "wind=SE"))
    (part,) = split(series, series.names, ("v",), (4,), cut)
    assert part.windows.x()[0].tolist() == [[1, 1, 0], [2, 1, 0], [3, 1, 0]]


def test_too_few_rows_in_a_part_name_overlap_where_that_would_help():
    with pytest.raises(DataError, match=r"the test part has 4 rows, one window needs 6 .*: give --overlap, so that"):
        split(series_of(np.arange(40)), ("a",), ("a",), (30, 36, 40), CUT)
    with pytest.raises(DataError, match=r"give more data, a shorter window or other borders$"):
        split(series_of(np.arange(40)), ("a",), ("a",), (5, 40), CUT)
