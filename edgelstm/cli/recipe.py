"""The keys of a recipe as options of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic.fields import FieldInfo

from edgelstm.cli.options import Asked, Given, bare, usual_words, with_options
from edgelstm.recipe import Recipe
from edgelstm.recipe.sections import Section, option_of

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
    """Walk over all that a recipe may say: section, key and field.

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
    """List the keys of some sections that have a flag."""
    return [
        Asked(section, key, field.annotation, option, option.unset or usual_words(field.default), _PANELS[section])
        for section, key, field in keys_of_a_recipe()
        if section in sections
        for option in (option_of(field),)
        if not option.instead
    ]


def first_flag(options: list[Asked], asked: Sections) -> str | None:
    """Name the first of some options that was typed; None for none."""
    return next((one.flag for one in options if one.key in asked.get(one.section, {})), None)


def asks_a_recipe(options: list[Asked]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put options in the place of a command's parameter `asked`, which is given what was typed, as `Sections`."""
    return lambda command: with_options(command, "asked", options, _in_sections)


def _in_sections(given: Given) -> Sections:
    found: Sections = {}
    for (section, key), value in given.items():
        found.setdefault(section, {})[key] = value
    return found
