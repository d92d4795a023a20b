"""Contracts of other formats: a newer one is refused, an older one gets the keys of later formats."""

from __future__ import annotations

from typing import Any

from edgelstm.contract.parts import FORMAT_VERSION
from edgelstm.errors import ContractError
from edgelstm.strict_json import StrictJsonError

# The keys that later formats added to a channel and to a contract: the format that added them, then the keys with the
# values that apply to older files.
_LATER_OF_CHANNELS: tuple[tuple[int, dict[str, Any]], ...] = (
    (2, {"ahead": 0, "quantile": None, "column": None, "cap": None}),
    (3, {"category": None, "origin": 0.0}),
)
_LATER: tuple[tuple[int, dict[str, Any]], ...] = (
    (2, {"answer": "number", "times": False}),
    (3, {"reading": None, "many_series": False}),
)
_LATER_OF_QUANTIZATION: tuple[tuple[int, dict[str, Any]], ...] = ((3, {"highway": "fp32"}),)


def check_version(value: Any) -> None:
    """Check the version before anything else: a newer format may have other keys."""
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        raise ContractError(
            f"contract: this file has format {version}, this edgelstm reads up to {FORMAT_VERSION}; "
            "upgrade edgelstm on this device or export again with the older version"
        )


def with_later_keys(value: Any) -> Any:
    """Add the keys of later formats to the contract of an older file, with the values that apply to it."""
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is not int or not 1 <= version < FORMAT_VERSION:
        return value
    value = dict(value)
    for key in ("inputs", "outputs"):
        channels = value.get(key)
        if isinstance(channels, list):
            more = _later_than(version, _LATER_OF_CHANNELS)
            value[key] = [_merged(one, more, f"contract.{key}[{i}]", version) for i, one in enumerate(channels)]
    if isinstance(value.get("quantization"), dict):
        more = _later_than(version, _LATER_OF_QUANTIZATION)
        value["quantization"] = _merged(value["quantization"], more, "contract.quantization", version)
    later = _later_than(version, _LATER)
    if "answer" in later and value.get("task") == "classify":
        later["answer"] = "class"
    return _merged(value, later, "contract", version)


def _later_than(version: int, keys: tuple[tuple[int, dict[str, Any]], ...]) -> dict[str, Any]:
    return {key: value for since, some in keys if since > version for key, value in some.items()}


def _merged(value: Any, later: dict[str, Any], place: str, version: int) -> Any:
    if not isinstance(value, dict):
        return value
    early = sorted(value.keys() & later.keys())
    if early:
        raise StrictJsonError(f"{place}: unknown key {early[0]!r} in a file of format {version}")
    return {**value, **later}
