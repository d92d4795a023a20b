"""Weights to whole numbers and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgelstm.contract import CLIPS
from edgelstm.quantization import LEVELS, PERCENTILE, quantize_rows

matrices = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-100, 100, width=32, allow_subnormal=False),
)


def squared_error(weight, whole, scale):
    return ((whole * scale[:, np.newaxis].astype(np.float64) - weight) ** 2).sum(axis=1)


@given(matrices, st.sampled_from(sorted(LEVELS.values())), st.booleans(), st.sampled_from(CLIPS))
def test_whole_numbers_stay_within_their_levels_and_scales_are_positive(weight, levels, per_channel, clip):
    whole, scale = quantize_rows(weight, levels, per_channel, clip)
    assert whole.dtype == np.int8
    assert scale.dtype == np.float32
    assert whole.shape == weight.shape
    assert scale.shape == weight.shape[:1]
    assert np.abs(whole.astype(int)).max() <= levels
    assert (scale > 0).all()
    assert per_channel or len(set(scale.tolist())) == 1


@given(matrices, st.sampled_from(sorted(LEVELS.values())), st.booleans())
def test_unclipped_every_weight_comes_back_within_half_a_step(weight, levels, per_channel):
    whole, scale = quantize_rows(weight, levels, per_channel)
    error = np.abs(whole * scale[:, np.newaxis].astype(np.float64) - weight)
    assert (error <= scale[:, np.newaxis] * (0.5 + 1e-4)).all()


@given(matrices, st.sampled_from(sorted(LEVELS.values())), st.booleans())
def test_the_range_of_least_squares_errs_no_more_than_the_whole_range(weight, levels, per_channel):
    found, plain = (
        squared_error(weight, *quantize_rows(weight, levels, per_channel, clip)) for clip in ("mse", "none")
    )
    assert found.sum() <= plain.sum() * (1 + 1e-6) + 1e-12


@given(matrices, st.sampled_from(CLIPS))
def test_a_row_is_quantized_by_itself(weight, clip):
    whole, scale = quantize_rows(weight, 64, True, clip)
    for i, row in enumerate(weight):
        alone, its_scale = quantize_rows(row[np.newaxis], 64, True, clip)
        np.testing.assert_array_equal(whole[i], alone[0])
        assert scale[i] == its_scale[0]


@given(matrices, st.sampled_from(CLIPS), st.booleans())
def test_a_mirrored_matrix_gives_mirrored_numbers(weight, clip, per_channel):
    whole, scale = quantize_rows(weight, 127, per_channel, clip)
    mirrored, same = quantize_rows(-weight, 127, per_channel, clip)
    np.testing.assert_array_equal(whole, -mirrored)
    np.testing.assert_array_equal(scale, same)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("weight", [0.0, 1e-40])
def test_a_row_of_nothing_becomes_zeros(clip, weight):
    whole, scale = quantize_rows(np.full((2, 5), weight, np.float32), 64, True, clip)
    assert not whole.any()
    assert scale.tolist() == [1, 1]


def test_least_squares_gives_an_outlier_up_where_that_pays():
    """One weight of 10 among 4,000 of a hundredth: by hand, of the 51 ranges the one that errs least."""
    rng = np.random.default_rng(0)
    weight = np.append(rng.normal(scale=1.0, size=4000), 10.0).astype(np.float32)[np.newaxis]
    errors = {}
    for fraction in np.linspace(0.5, 1, 51):
        scale = 10 * fraction / 64
        whole = np.clip(np.rint(weight.astype(np.float64) / scale), -64, 64)
        errors[fraction] = ((whole * scale - weight) ** 2).sum()
    best = min(errors, key=errors.get)
    _, scale = quantize_rows(weight, 64, True, "mse")
    assert scale[0] == pytest.approx(10 * best / 64, rel=1e-6)
    assert best < 1


def test_the_percentile_ignores_the_thousandth_that_is_largest():
    weight = np.append(np.linspace(-1, 1, 4000), [50.0, -50.0]).astype(np.float32)[np.newaxis]
    whole, scale = quantize_rows(weight, 127, True, "percentile")
    assert scale[0] * 127 == pytest.approx(np.percentile(np.abs(weight), PERCENTILE), rel=1e-6)
    assert scale[0] * 127 < 1.01
    assert whole[0, -2:].tolist() == [127, -127]


def test_the_levels_are_those_of_the_decision_on_seven_bits():
    assert LEVELS == {"int8": 64, "int8w": 127}
