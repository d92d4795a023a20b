"""The keys of a recipe as options of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from edgelstm.cli.options import Asked, Given, bare, usual_words, with_options
from edgelstm.errors import RecipeError
from edgelstm.recipe import Recipe
from edgelstm.recipe.sections import BY_SPLIT, Section, option_of

Sections = dict[str, dict[str, Any]]  # values by section and key; the section `""` is the top level

_PANELS = {
    "": "Options",
    "data": "Data and split",
    "split": "Data and split",
    "window": "Network",
    "network": "Network",
    "training": "Training",
    "quantization": "The int8 file",
}


def keys_of_a_recipe() -> Iterator[tuple[str, str, FieldInfo]]:
    """Walk over everything in a recipe: section, key and field.

    Example:
        >>> [f"{section}.{key}" for section, key, _ in keys_of_a_recipe()][:3]
        ['.name', '.task', 'data.path']
    """
    for name, field in Recipe.model_fields.items():
        kind = bare(field.annotation)
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from ((name, key, inner) for key, inner in kind.model_fields.items())
        else:
            yield "", name, field


def recipe_options(*sections: str) -> list[Asked]:
    """List the keys of these sections that have a flag."""
    return [
        Asked(section, key, field.annotation, option, option.unset or usual_words(field.default), _PANELS[section])
        for section, key, field in keys_of_a_recipe()
        if section in sections
        for option in (option_of(field),)
        if not option.instead
    ]


def first_flag(options: list[Asked], asked: Sections) -> str | None:
    """Name the first of these options that was given; None for none."""
    return next((one.flag for one in options if one.key in asked.get(one.section, {})), None)


def asks_a_recipe(options: list[Asked]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the parameter `asked` of a command by options; it receives the given ones as `Sections`."""
    return lambda command: with_options(command, "asked", options, _in_sections)


@contextmanager
def names_flags(asked: Sections, recipe: Path | None = None) -> Iterator[None]:
    """Name a refused value as it was given: an option by its flag, a key of the recipe file by its key.

    Args:
        asked: the options that were given.
        recipe: the file that they override.

    Raises:
        RecipeError: the error from inside, with its keys replaced by flags.
    """
    try:
        yield
    except RecipeError as error:
        message = _with_flags(str(error), asked)
        for name in ("options", "finetune", str(recipe)):  # a flag says where it was given
            message = message.removeprefix(f"{name}: ") if message.startswith(f"{name}: --") else message
        raise RecipeError(message) from error


def _with_flags(message: str, asked: Sections) -> str:
    """Replace the keys of given options by their flags.

    Example:
        >>> _with_flags("options: window.quantiles.1: expected less than 1", {"window": {"quantiles": (0.5, 2.0)}})
        'options: --quantile: expected less than 1'
        >>> _with_flags("my.toml: training.devices: expected 1 or more", {"training": {"seed": 1}})
        'my.toml: training.devices: expected 1 or more'
    """
    for section, key, field in keys_of_a_recipe():
        option = option_of(field)
        flag = "--split" if option.instead == BY_SPLIT else option.flag_of(key)
        if key not in asked.get(section, {}) or option.instead not in ("", BY_SPLIT):
            continue
        if section:
            message = re.sub(rf"(?<![\w./\\-]){section}\.{key}(?:\.\d+)?(?!\w)", flag, message)
        else:
            message = re.sub(rf"^(\S+: |){key}: ", rf"\1{flag}: ", message)
    return re.sub(r"(--[a-z-]+)\.(?=\w)", r"\1: ", message)


def _in_sections(given: Given) -> Sections:
    found: Sections = {}
    for (section, key), value in given.items():
        found.setdefault(section, {})[key] = value
    return found
