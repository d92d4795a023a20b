import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgelstm.errors import ModelFileError
from edgelstm.runtime import Golden, parse_model_file
from edgelstm.runtime.file.golden import worst_by_channel
from tests.resealed import altered

GOLDEN = "edgelstm.golden"


@st.composite
def goldens(draw):
    rows, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    steps = draw(st.integers(1, 4))
    answer = (rows, *draw(st.sampled_from([(), (steps,)])), draw(st.integers(1, 3)), outputs)
    limits = st.lists(st.floats(0, 1e9), min_size=outputs, max_size=outputs).map(tuple)
    x, network, file = (arrays.arrays(np.float32, shape) for shape in ((rows, steps, 2), answer, answer))
    return Golden(draw(x), draw(network), draw(file), {"pypi": draw(limits), "other": draw(limits)})


@given(goldens())
@settings(max_examples=60, deadline=None)
def test_golden_vectors_are_read_back_bit_for_bit(golden):
    again = Golden.from_json(golden.to_json())
    for name in ("x", "network", "file"):
        before, after = getattr(golden, name), getattr(again, name)
        assert (before.shape, before.dtype, before.tobytes()) == (after.shape, after.dtype, after.tobytes())
    assert again.tolerance == golden.tolerance


def test_the_arrays_are_base64_of_little_endian_float32():
    two = np.array([[[1.0], [-2.0]]], np.float32)
    text = Golden(two, two, two, {"pypi": (0.5,), "other": (1.0,)}).to_json()
    array = '{"base64":"AACAPwAAAMA=","dtype":"float32","shape":[1,2,1]}'
    said = f'"file":{array},"lengths":null,"network":{array},"times":null,"tolerance":{{"other":[1.0],"pypi":[0.5]}}'
    assert text == f'{{{said},"x":{array}}}'


def good():
    x, y = np.zeros((2, 4, 1), np.float32), np.zeros((2, 3, 2), np.float32)
    return json.loads(Golden(x, y, y, {"pypi": (1.0, 1.0), "other": (1.0, 1.0)}).to_json())


def test_the_vectors_that_get_damaged_below_are_good():
    assert Golden.from_json(json.dumps(good())).file.shape == (2, 3, 2)


@pytest.mark.parametrize("sign", ["!", "\n", " ", "-"])
def test_a_sign_that_base64_lacks_is_refused_though_the_rest_is_whole(sign):
    value = good()
    value["x"]["base64"] = value["x"]["base64"][:4] + sign + value["x"]["base64"][4:]
    with pytest.raises(ModelFileError, match="golden vectors are damaged"):
        Golden.from_json(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [("x", "AAAA"), ("x", "!!!!"), ("network", "AAA"), ("file", ""), ("file", "AAAAAA==" * 12), ("x", "\u00e4" * 4)],
)
def test_damaged_base64_is_refused(name, text):
    value = good()
    value[name]["base64"] = text
    with pytest.raises(ModelFileError, match="golden vectors are damaged"):
        Golden.from_json(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("x", [8]),
        ("x", [4, 2, 1]),
        ("x", [2, 2, 2, 1]),
        ("x", [2, 5, 1]),
        ("x", []),
        ("x", [-1, 4, 1]),
        ("x", [2, -1, 1]),
        ("x", [10**30, 4, 1]),
        ("network", [2, 2, 3]),
        ("network", [12]),
        ("file", [3, 2, 2]),
        ("file", [2, 6]),
        ("file", [2, 3, 1, 2]),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_are_refused(name, shape):
    value = good()
    value[name]["shape"] = shape
    with pytest.raises(ModelFileError, match="golden vectors are damaged"):
        Golden.from_json(json.dumps(value))


def test_golden_vectors_without_a_row_are_refused():
    value = good()
    for name in ("x", "network", "file"):
        value[name] = {"shape": [0, *value[name]["shape"][1:]], "float32": ""}
    with pytest.raises(ModelFileError, match="golden vectors are damaged"):
        Golden.from_json(json.dumps(value))


@pytest.mark.parametrize(
    "tolerance", [{}, {"pypi": [1.0, 1.0]}, {"pypi": [1.0], "other": [1.0, 1.0]}, {"pypi": [], "other": []}, None]
)
def test_a_tolerance_that_does_not_fit_is_refused(tolerance):
    with pytest.raises(ModelFileError, match="golden vectors are damaged"):
        Golden.from_json(json.dumps({**good(), "tolerance": tolerance}))


@pytest.mark.parametrize("lengths", [[], [4], [0, 4], [4, 5], [-1, 4], [4, 2**63], [2**70, 4], [4, 4, 4]])
def test_lengths_that_no_window_has_are_refused(lengths):
    assert Golden.from_json(json.dumps({**good(), "lengths": [1, 4]})).lengths.tolist() == [1, 4]
    with pytest.raises(ModelFileError, match="golden vectors are damaged"):
        Golden.from_json(json.dumps({**good(), "lengths": lengths}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "NaN", '{"x":1}'])
def test_text_that_holds_no_golden_vectors_is_refused(text):
    with pytest.raises(ModelFileError, match="golden vectors are damaged"):
        Golden.from_json(text)


@pytest.mark.parametrize("shape", [(4, 24, 1), (5, 23, 1), (5, 24, 2)], ids=str)
def test_golden_windows_that_do_not_fit_the_contract_are_refused(window_files, shape):
    def change(golden):
        golden["x"] = _array(np.full(shape, 330, np.float32))

    with pytest.raises(ModelFileError, match="golden vectors"):
        parse_model_file(altered(window_files.fp32, GOLDEN, change))


@pytest.mark.parametrize("shape", [(5, 1, 1), (5, 4, 1), (5, 24, 3, 1)], ids=str)
def test_golden_answers_that_do_not_fit_the_contract_are_refused(window_files, shape):
    def change(golden):
        golden["network"] = golden["file"] = _array(np.full(shape, 330, np.float32))

    with pytest.raises(ModelFileError, match="golden vectors"):
        parse_model_file(altered(window_files.fp32, GOLDEN, change))


def test_the_worst_difference_is_told_for_each_channel():
    a = np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32)
    b = np.array([[[1.5, 2.0], [3.0, 4.25]]], np.float32)
    assert worst_by_channel(a, b) == (0.5, 0.25)


def test_an_answer_that_is_not_a_number_is_infinitely_far():
    a = np.array([[[np.nan, 2.0]]], np.float32)
    b = np.array([[[1.0, 2.0]]], np.float32)
    assert worst_by_channel(a, b) == (np.inf, 0.0)
    assert worst_by_channel(b, a) == (np.inf, 0.0)


def _array(values):
    return {"shape": list(values.shape), "float32": base64.b64encode(values.astype("<f4").tobytes()).decode()}
