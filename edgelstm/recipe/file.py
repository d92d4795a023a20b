"""Read a recipe: a TOML file, overridden by flags, with errors that say what to do."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from edgelstm.data.readers.formats import read_table
from edgelstm.data.readers.read import BUILTIN, path_of
from edgelstm.data.readers.sources import files_of
from edgelstm.errors import RecipeError, require
from edgelstm.recipe.asking import asking_of
from edgelstm.recipe.recipe import MISSING_TARGETS, NAME, Recipe
from edgelstm.recipe.sections import DURATION, nearest, option_of

_LISTED = 12  # columns in a message


def load_recipe(path: str | Path | None, flags: Mapping[str, Mapping[str, Any]]) -> Recipe:
    """Read a recipe file and override it with flags.

    Args:
        path: a TOML file; paths in it are relative to its folder. None: flags alone.
        flags: values by section and key, which override the file; the section `""` is the top level.

    Raises:
        RecipeError: file not found, invalid TOML, an unknown key (the closest is named), a wrong value.

    Example:
        >>> flags = {"data": {"path": "x.csv", "targets": ("y",)}, "window": {"steps": 10}}
        >>> load_recipe(None, flags).network.num_layers
        1
    """
    content = {} if path is None else _read_toml(Path(path))
    for section, values in flags.items():
        table = content if section == "" else content.setdefault(section, {})
        if not isinstance(table, dict):
            raise RecipeError(f"{path}: {section}: expected a table, got {table!r}")
        table.update(values)
    _make_paths_absolute(content)
    try:
        return check_recipe(content, str(path) if path else "options")
    except RecipeError as error:
        if str(error).endswith(MISSING_TARGETS):
            raise RecipeError(f"{error}: {_to_choose(content)}") from error
        raise


def _to_choose(content: Mapping[str, Any]) -> str:
    """List the columns of the table that could be a target."""
    data = {key: value for key, value in content["data"].items() if key != "targets"}
    asked = check_recipe({**content, "data": {**data, "targets": ["?"]}}, "options")
    files = files_of(asked.data.path)
    path = path_of(asked.data.path) if files is None else files[0]
    table = read_table(path, asking_of(asked, ()))
    others = {*asked.data.time, asked.data.series}
    found = [column for column in table.columns if column not in others and not table.is_text(column)]
    what = "has numeric columns" if found else "has no numeric columns, but"
    found = found or list(table.columns)
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return f"{path.name} {what} {', '.join(found[:_LISTED])}{more}"


def render_recipe(recipe: Recipe) -> str:
    """Write a complete recipe as TOML, each key with its meaning; a key that is not set is commented out.

    Example:
        >>> flags = {"data": {"path": "builtin:co2", "targets": ("co2",)}, "window": {"steps": 10}}
        >>> render_recipe(load_recipe(None, flags)).splitlines()[:2]
        ['name = "lstm"  # name of the run and its files', 'task = "forecast"  # task of the network']
    """
    sections = {name: value for name, value in recipe if isinstance(value, BaseModel)}
    lines = [_line(recipe, name, value) for name, value in recipe if name not in sections and value is not None]
    for name, section in sections.items():
        lines += ["", f"[{name}]", *(_line(section, key, value) for key, value in section)]
    return "\n".join([*lines, ""])


def _line(section: BaseModel, key: str, value: Any) -> str:
    field = type(section).model_fields[key]
    line = f"# {key} =" if value is None else f"{key} = {_toml(value)}"
    return f"{line}  # {comment_of(field)}"


def comment_of(field: FieldInfo) -> str:
    """Describe a key, and what applies if it is not set.

    Example:
        >>> comment_of(Recipe.model_fields["task"])
        'task of the network'
    """
    option = option_of(field)
    return option.about + (f"; unset: {option.unset}" if option.unset and not field.default else "")


def _toml(value: Any) -> str:
    """Write a value as TOML. JSON is the same, except for one character that TOML wants escaped."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def check_recipe(content: Mapping[str, Any], name: str) -> Recipe:
    """Check the content of a recipe; see `load_recipe`."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"{name}: {_first_complaint(error)}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    tomllib = _toml_reader()
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: file not found") from error
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read as TOML: {error}") from error
    _make_paths_absolute(content, path.parent)
    return content


def _make_paths_absolute(content: dict[str, Any], folder: Path = Path()) -> None:
    """Make the paths of a recipe absolute, so that a training can be resumed from another folder."""
    for section, key in (
        ("data", "path"),
        ("data", "labels"),
        ("split", "validation_path"),
        ("split", "test_path"),
        ("split", "groups"),
        ("network", "run"),
        ("quantization", "start"),
    ):
        table = content.get(section)
        value = table.get(key) if isinstance(table, dict) else None
        if isinstance(value, str):
            table[key] = _absolute(value, folder, f"{section}.{key}")  # type: ignore[index]
        elif isinstance(value, (list, tuple)) and all(isinstance(path, str) for path in value):
            table[key] = [_absolute(path, folder, f"{section}.{key}") for path in value]  # type: ignore[index]


def _absolute(path: str, folder: Path, place: str) -> str:
    """Expand $VARIABLES, then make the path absolute."""
    if path.startswith(BUILTIN):
        return path
    expanded = os.path.expandvars(path)
    unset = re.search(r"\$\{?(\w+)", expanded)
    if unset:
        raise RecipeError(
            f"{place}: {path} needs the environment variable {unset[1]}, which is not set: set it to the folder of "
            "the data"
        )
    return str((folder / expanded).absolute())


def _toml_reader() -> Any:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        return require("tomli", "train")
    return tomllib


_OPTIONS = {
    "data": "as the first argument or in a --recipe",
    "data.path": "as the first argument",
}


# pydantic's errors in the words of TOML, with the bound that was broken.
_EXPECTED = {
    "tuple_type": "expected a list",
    "model_type": "expected a table",
    "dict_type": "expected a table",
    "greater_than_equal": "expected {ge:g} or more",
    "greater_than": "expected more than {gt:g}",
    "less_than_equal": "expected {le:g} or less",
    "less_than": "expected less than {lt:g}",
    "too_long": "expected at most {max_length} values",
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "string_type": "expected a text",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
}
_PATTERNS = {
    DURATION: "expected a duration such as 90s, 10m or 2h",
    NAME: "expected a name of letters, digits, '.', '_' and '-', beginning with a letter or digit",
}


def _first_complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place}: unknown key; {nearest(str(first['loc'][-1]), _known_keys(first['loc'][:-1]))}"
    if first["type"] == "missing":
        return f"{place} is missing: give it {_OPTIONS.get(place, 'in the recipe')}"
    if first["type"] != "value_error":
        return f"{place}: {_expected(first)}, got {first['input']!r}"
    message = first["msg"].removeprefix("Value error, ")
    if not place:
        return message
    names_a_key = message.partition(":")[0] in _known_keys(first["loc"]) if len(first["loc"]) == 1 else False
    return f"{place}.{message}" if names_a_key else f"{place}: {message}"


def _expected(found: Any) -> str:
    """Say what was expected instead of a value of a wrong type or out of bounds."""
    context = found.get("ctx", {})
    known = _PATTERNS.get(context.get("pattern", "")) or _EXPECTED.get(found["type"])
    return known.format(**context) if known else found["msg"].replace("Input should be", "expected")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    kind: Any = Recipe
    for part in location:
        kind = kind.model_fields[part].annotation
        kind = next((inner for inner in get_args(kind) if inner is not type(None)), kind)
    return list(kind.model_fields)
