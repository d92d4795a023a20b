import contextlib
import json
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.strict_json import StrictJsonError, decode, dumps, parse, plain


class Inner(NamedTuple):
    size: int


@dataclass(frozen=True)
class Outer:
    text: str
    number: float
    whole: int
    flag: bool
    perhaps: float | None
    shape: tuple[int | str, ...]
    inner: Inner
    inners: tuple[Inner, ...]
    named: dict[str, Inner]
    anything: Any


GOOD = {
    "text": "a",
    "number": 1.5,
    "whole": 2,
    "flag": True,
    "perhaps": None,
    "shape": [1, "B"],
    "inner": {"size": 3},
    "inners": [{"size": 4}, {"size": 5}],
    "named": {"b": {"size": 6}},
    "anything": {"as": ["it", "is"]},
}
WRONG = {
    "text": (1, None, ["a"], {}),
    "number": ("1.5", True, None, [1.5], 1e999),
    "whole": (2.0, True, "2", None),
    "flag": (1, 0, "true", None),
    "perhaps": ("1", False, [], 1e999),
    "shape": ("B", {"0": 1}, [1.0], [True], [None], [[1]], None),
    "inner": ([], None, 3, {}, {"size": "3"}, {"size": 3, "sizes": 3}),
    "inners": ({}, None, [None], [{"size": 4}, {}]),
    "named": ([], None, {"b": None}, {"b": {}}),
}

numbers = st.floats(allow_nan=False, allow_infinity=False)
inners = st.builds(Inner, st.integers())
outers = st.builds(
    Outer,
    text=st.text(),
    number=numbers,
    whole=st.integers(),
    flag=st.booleans(),
    perhaps=st.none() | numbers,
    shape=st.lists(st.integers() | st.text()).map(tuple),
    inner=inners,
    inners=st.lists(inners).map(tuple),
    named=st.dictionaries(st.text(), inners),
    anything=st.none() | st.text(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "size"]), inner, max_size=4),
    max_leaves=12,
)


def read(value):
    return decode(Outer, value, "here")


@given(outers)
def test_what_is_written_is_read_back_equal(record):
    assert read(parse(dumps(record))) == record


@given(outers)
def test_the_text_is_json_with_sorted_keys_and_no_spaces(record):
    text = dumps(record)
    again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text == again


@given(json_values, st.sampled_from([None, *GOOD]))
@settings(max_examples=200)
def test_any_value_is_read_or_refused(value, key):
    with contextlib.suppress(StrictJsonError):
        assert isinstance(read({**GOOD, key: value} if key else value), Outer)


@given(st.text() | st.binary())
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(StrictJsonError):
        assert parse(text) == json.loads(text)


def test_a_record_turns_into_dicts_and_lists_and_back():
    value = plain(read(GOOD))
    assert value == GOOD
    assert type(value["shape"]) is list
    assert type(value["inners"][0]) is type(value["named"]["b"]) is dict


def test_a_good_value_becomes_tuples_and_records():
    record = read(GOOD)
    assert record.shape == (1, "B")
    assert record.inners == (Inner(4), Inner(5))
    assert record.named == {"b": Inner(6)}
    assert record.anything == {"as": ["it", "is"]}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_wrong_type_is_refused_at_its_place(key, value):
    with pytest.raises(StrictJsonError, match=rf"^here\.{key}\b"):
        read({**GOOD, key: value})


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key_is_named(key):
    with pytest.raises(StrictJsonError, match=rf"^here: the key '{key}' is missing$"):
        read({name: value for name, value in GOOD.items() if name != key})


def test_an_unknown_key_is_named_with_what_was_expected():
    with pytest.raises(StrictJsonError, match=r"^here\.inner: unknown key 'sise'; expected only size$"):
        read({**GOOD, "inner": {"size": 1, "sise": 1}})


def test_a_deep_place_is_spelt_out():
    with pytest.raises(StrictJsonError, match=r'^here\.inners\[1\]\.size: expected a whole number, got "5"$'):
        read({**GOOD, "inners": [{"size": 4}, {"size": "5"}]})


def test_a_whole_number_does_for_a_fraction_and_becomes_one():
    assert type(read({**GOOD, "number": 1}).number) is float


@pytest.mark.parametrize("digits", [309, 4000])
def test_a_whole_number_too_large_for_a_fraction_is_refused(digits):
    with pytest.raises(StrictJsonError, match=r"here\.number: expected a finite number"):
        read({**GOOD, "number": 10**digits})


def test_a_long_value_is_cut_short_in_the_message():
    with pytest.raises(StrictJsonError) as caught:
        read({**GOOD, "whole": "x" * 10_000})
    assert len(str(caught.value)) < 120


def test_a_value_of_forty_characters_is_shown_whole_and_a_longer_one_to_the_37th():
    for value, shown in (("x" * 38, f'"{"x" * 38}"'), ("x" * 39, f'"{"x" * 36}...')):
        with pytest.raises(StrictJsonError) as caught:
            read({**GOOD, "whole": value})
        assert str(caught.value) == f"here.whole: expected a whole number, got {shown}"


def test_a_value_beyond_ascii_is_escaped_in_the_message():
    """So that nothing in a file can move a terminal's cursor, or turn its text around."""
    with pytest.raises(StrictJsonError, match=r'^here\.whole: expected a whole number, got "\\u202eM\\u00fcll"$'):
        read({**GOOD, "whole": "\u202eMüll"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_not_written(value):
    with pytest.raises(StrictJsonError, match="finite"):
        dumps(Outer("", value, 0, True, None, (), Inner(0), (), {}, None))


@pytest.mark.parametrize(
    "text",
    ["", "{", "nul", "NaN", "[Infinity]", '{"a":-Infinity}', '{"a":1,"a":1}', '{"b":{"a":1,"a":2}}', "1 2", "'a'"],
)
def test_text_that_is_not_strict_json_is_refused(text):
    with pytest.raises(StrictJsonError):
        parse(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 5000, b"\xff\xfe\xfd", b'"\xc3"'])
def test_hostile_text_is_refused_as_such(text):
    with pytest.raises(StrictJsonError):
        parse(text)


@pytest.mark.parametrize("depth", [50, 500, 900, 950, 980, 1500])
def test_deep_nesting_is_refused_and_never_overflows(depth):
    text = '{"text":' + "[" * depth + "]" * depth + "}"
    with pytest.raises(StrictJsonError):
        read({**GOOD, **parse(text)})


@dataclass(frozen=True)
class Circle:
    CORNERS: ClassVar[int] = 0
    radius: float
    kind: str = "circle"


class Square(NamedTuple):
    side: float
    kind: str = "square"


class Drawing(NamedTuple):
    shapes: tuple[Circle | Square, ...]


def test_records_are_told_apart_by_their_kind_and_keep_their_fields_alone():
    drawing = Drawing((Circle(1.0), Square(2.0)))
    content = [{"radius": 1.0, "kind": "circle"}, {"side": 2.0, "kind": "square"}]
    assert plain(drawing) == {"shapes": content}
    assert decode(Drawing, {"shapes": content}, "here") == drawing
    for strange in ({"radius": 1.0, "kind": "triangle"}, {"radius": 1.0}, {"radius": 1.0, "kind": ["circle"]}, None):
        with pytest.raises(StrictJsonError, match=r"^here\.shapes\[0\]: expected a kind of circle, square, got"):
            decode(Drawing, {"shapes": [strange]}, "here")
