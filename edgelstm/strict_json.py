"""Convert dataclasses and named tuples to JSON and back, without guessing.

An unknown key, a missing key or a wrong type is an error that names the place, what was expected and what came. The
supported types are those of the contract and the run record: `str`, `Literal`, `int`, `float`, `bool`, `X | None`,
unions of plain types or of records with a key `kind`, `tuple[X, ...]`, `dict[str, X]`, records in records, and `Any`
for values that are checked elsewhere.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from functools import cache
from typing import Any, TypeVar

Record = TypeVar("Record")


class StrictJsonError(ValueError):
    """The text is not the JSON of that record. The caller rewords it for its readers."""


def plain(value: Any) -> Any:
    """Convert a record, and the records in it, to JSON types: dicts, lists, plain values.

    Example:
        >>> class Point(typing.NamedTuple):
        ...     x: int
        ...     tags: tuple[str, ...]
        >>> plain(Point(1, ("a", "b")))
        {'x': 1, 'tags': ['a', 'b']}
    """
    if _is_record(type(value)):
        return {name: plain(getattr(value, name)) for name in _hints(type(value))}  # type: ignore[arg-type]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def dumps(record: Any) -> str:
    """Write a record as canonical JSON: sorted keys, no spaces, finite numbers, shortest floats.

    Raises:
        StrictJsonError: a number is NaN or infinite.
    """
    try:
        return json.dumps(
            plain(record),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
    except ValueError as error:
        raise StrictJsonError("expected finite numbers, got NaN or infinity") from error


def parse(text: str | bytes) -> Any:
    """Parse JSON text; a repeated key, NaN and infinity are errors.

    Raises:
        StrictJsonError: it is not JSON, or holds one of these.
    """
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except (ValueError, RecursionError) as error:
        raise StrictJsonError(f"expected JSON, got text that does not parse: {error}") from error


def decode(kind: type[Record], value: Any, place: str) -> Record:
    """Make a record from parsed JSON.

    Args:
        kind: the dataclass or named tuple.
        value: a result of `parse`.
        place: name of this value in errors, `"contract"`.

    Raises:
        StrictJsonError: an unknown key, a missing key or a wrong type.
    """
    if not isinstance(value, dict):
        raise StrictJsonError(f"{place}: expected an object, got {_name(value)}")
    hints = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
    unknown = sorted(value.keys() - hints.keys())
    missing = sorted(hints.keys() - value.keys())
    if unknown:
        raise StrictJsonError(f"{place}: unknown key {unknown[0]!r}; expected only {', '.join(sorted(hints))}")
    if missing:
        raise StrictJsonError(f"{place}: the key {missing[0]!r} is missing")
    return kind(**{key: _decode(hint, value[key], f"{place}.{key}") for key, hint in hints.items()})


def _decode(hint: Any, value: Any, place: str) -> Any:
    if hint is Any:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, value, place)
    if origin is tuple:
        _expect(isinstance(value, list), "a list", value, place)
        return tuple(_decode(arguments[0], item, f"{place}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        _expect(isinstance(value, dict), "an object", value, place)
        return {key: _decode(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    if _is_record(hint):
        return decode(typing.cast(type, hint), value, place)
    return _decode_plain(hint, value, place)


def _is_record(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")


def _decode_union(choices: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and type(None) in choices:
        return None
    real = [choice for choice in choices if choice is not type(None)]
    if len(real) == 1:
        return _decode(real[0], value, place)
    if all(_is_record(choice) for choice in real):
        return _decode_kind(real, value, place)
    for choice in real:
        if type(value) is choice:
            return value
    raise StrictJsonError(f"{place}: expected {' or '.join(c.__name__ for c in real)}, got {_name(value)}")


def _decode_kind(choices: list[Any], value: Any, place: str) -> Any:
    """Choose between records by their key `kind`; the default of each is its name."""
    by_kind: dict[Any, Any] = {_kind_of(choice): choice for choice in choices}
    kind = value.get("kind") if isinstance(value, dict) else None
    _expect(isinstance(kind, str) and kind in by_kind, f"a kind of {', '.join(by_kind)}", value, place)
    return decode(by_kind[kind], value, place)


def _kind_of(record: Any) -> str:
    defaults = record._field_defaults if hasattr(record, "_fields") else vars(record)
    return str(defaults["kind"])


def _decode_plain(hint: Any, value: Any, place: str) -> Any:
    if hint is float:
        _expect(type(value) in (int, float) and abs(value) <= sys.float_info.max, "a finite number", value, place)
        return float(value)
    if typing.get_origin(hint) is typing.Literal:  # the known words are checked with the record
        hint = str
    expected = {str: "a string", int: "a whole number", bool: "true or false"}[hint]
    _expect(type(value) is hint, expected, value, place)
    return value


def _expect(holds: bool, expected: str, value: Any, place: str) -> None:
    if not holds:
        raise StrictJsonError(f"{place}: expected {expected}, got {_name(value)}")


def _name(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else text[:37] + "..."


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the fields of a record and their types, without class variables."""
    hints = typing.get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if typing.get_origin(hint) is not typing.ClassVar}


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key occurs twice")
    return record


def _no_constants(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
