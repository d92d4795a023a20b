import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgelstm.contract import Channel
from edgelstm.errors import InputError
from edgelstm.runtime.samples import as_float32, as_samples

LEVEL, WIND = (Channel(name, None, "float32", None) for name in ("level", "wind"))
BOTH = (LEVEL, WIND)


@given(arrays.arrays(np.float32, (2, 3, 2), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_float32_goes_through_unchanged(x):
    assert as_samples(x, BOTH).tobytes() == x.tobytes()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", ">f4", ">f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_any_real_numbers_become_contiguous_native_float32(dtype):
    x = np.array([[1, 2], [3, 4]], dtype)
    samples = as_samples(x, BOTH)
    assert samples.dtype == np.dtype("=f4")
    assert samples.flags.c_contiguous
    assert samples.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@given(arrays.arrays(np.float64, (4, 2), elements=st.floats(-1e38, 1e38)))
def test_float64_is_rounded_to_the_nearest_float32(x):
    expected = [[np.float32(value) for value in row] for row in x]
    assert as_samples(x, BOTH).tolist() == expected


@pytest.mark.parametrize("x", [[1, 2], (1.0, 2), [[1, 2], [3, 4]], [np.float64(1), np.int8(2)]], ids=str)
def test_lists_do_as_well(x):
    assert as_samples(x, BOTH).tolist() == np.array(x, float).tolist()


def test_what_is_not_contiguous_is_read_in_its_own_order():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for view in (x[:, :, ::2], x[:, ::-1, 1:3], x.transpose(0, 2, 1)[:, :, :2], np.asfortranarray(x[..., :2])):
        samples = as_samples(view, BOTH)
        assert samples.flags.c_contiguous
        assert samples.tolist() == view.tolist()


def test_what_is_read_only_is_read():
    x = np.ones((3, 2), np.float32)
    x.flags.writeable = False
    assert as_samples(x, BOTH).tolist() == x.tolist()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_what_is_handed_in_is_never_changed(dtype):
    x = np.array([[1, 2]], dtype)
    before = x.copy()
    as_samples(x, BOTH)
    assert x.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    "x",
    [
        "12",
        ["1", "2"],
        [b"1", b"2"],
        [True, False],
        [1j, 2],
        [None, "1"],
        [None, True],
        [None, 10**400],
        [None, np.timedelta64(1, "s")],
        [None, object()],
        object(),
        {"level": 1, "wind": 2},
        {1, 2},
        [10**400, 1],
        np.array(["2020-01-01", "2020-01-02"], "M8[D]"),
        np.array([1, 2], "m8[s]"),
        np.array([(1, 2)], [("level", "f4"), ("wind", "f4")]),
    ],
    ids=lambda x: re.sub(r" at 0x\w+", "", repr(x)[:40]),  # the same in every worker
)
def test_what_is_not_numbers_is_refused(x):
    with pytest.raises(InputError, match=r"expected numbers \(float32\), got dtype"):
        as_samples(x, BOTH)


def test_none_alone_is_no_sample():
    with pytest.raises(InputError, match=r"^expected numbers \(float32\), got None$"):
        as_samples(None, BOTH)


MISSING = [[1, None], (1, None), np.array([1, None], object), [np.float32(1), None], [[2, 3], [1, None]]]


@pytest.mark.parametrize("x", MISSING, ids=repr)
def test_none_among_numbers_is_a_missing_sample(x):
    found = as_float32(x)
    assert (found.dtype, found.shape) == (np.float32, np.shape(x))
    np.testing.assert_array_equal(found.reshape(-1, 2)[-1], [1, np.nan])
    with pytest.raises(InputError, match=r"got nan at \[.*1\] \(channel 'wind'\); fill or remove missing"):
        as_samples(x, BOTH)


@pytest.mark.parametrize("x", [[[1, 2], [3]], [[1, 2], 3], [[[1, 2]], [[3, 4], [5, 6]]]], ids=str)
def test_a_ragged_list_is_refused(x):
    with pytest.raises(InputError, match="ragged"):
        as_samples(x, BOTH)


@pytest.mark.parametrize("x", [1.0, [1], [[1, 2, 3]], [], [[]], np.zeros((3, 0)), np.zeros((2, 1))], ids=repr)
def test_another_number_of_channels_is_refused_with_their_names(x):
    with pytest.raises(InputError, match=r"expected 2 channels \(level, wind\) on the last axis, got shape"):
        as_samples(x, BOTH)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 5, 2)], ids=str)
def test_what_is_not_finite_is_refused_with_its_place_and_channel(bad, shape):
    for place in np.ndindex(shape):
        x = np.zeros(shape)
        x[place] = bad
        with pytest.raises(InputError) as caught:
            as_samples(x, BOTH)
        channel = BOTH[place[-1]].name
        assert f"got {bad} at {list(place)} (channel {channel!r})" in str(caught.value)


def test_the_first_of_several_places_is_told():
    x = np.zeros((4, 2))
    x[2, 0] = x[3, 1] = np.nan
    with pytest.raises(InputError, match=r"at \[2, 0\] \(channel 'level'\)"):
        as_samples(x, BOTH)


@pytest.mark.parametrize("x", [3.5e38, -1e300, np.finfo(np.float64).max])
def test_float64_beyond_float32_is_refused_and_not_warned_of(x):
    with pytest.raises(InputError, match=r"got -?inf at \[1\] \(channel 'wind'\)"):
        as_samples(np.array([0.0, x]), BOTH)


def test_a_signalling_nan_is_refused_and_not_warned_of():
    x = np.array([0, 0x7FF0_0000_0000_0001], np.uint64).view(np.float64)
    with pytest.raises(InputError, match=r"got nan at \[1\] \(channel 'wind'\)"):
        as_samples(x, BOTH)


def test_masked_samples_are_missing_samples():
    x = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], [[0, 0], [0, 1]])
    with pytest.raises(InputError, match=r"missing"):
        as_samples(x, BOTH)
    assert as_samples(x[:1], BOTH).tolist() == [[1.0, 2.0]]
