"""Texts are grouped by shape, up to limits behind which a column of times takes the slow way."""

from __future__ import annotations

import pytest

from edgelstm.data.readers.times.shapes import shapes_of


def texts_of(count):
    """As many texts, each of a shape of its own: the places of letters are the digits of a binary number."""
    return ["".join("a1"[number >> bit & 1] for bit in range(8)) for number in range(count)]


@pytest.mark.parametrize(("count", "shaped", "left"), [(100, 100, 0), (101, 100, 1), (150, 100, 50)])
def test_a_hundred_shapes_are_told_apart_and_the_rest_has_none(count, shaped, left):
    found = shapes_of(texts_of(count))
    assert sum(shape.text != "" for shape in found) == shaped
    assert sum(shape.bytes.shape[1] for shape in found if shape.text == "") == left


@pytest.mark.parametrize(("length", "shape"), [(64, "0" * 64), (65, "")])
def test_a_text_of_64_characters_has_a_shape_and_a_longer_one_has_none(length, shape):
    assert {each.text for each in shapes_of(["1", "7" * length])} == {"0", shape}
