"""Recipes: the settings of a training, their checks and their file. Needs neither torch nor a network."""

from __future__ import annotations

from edgelstm.errors import require

require("pydantic", "train")

from edgelstm.recipe.file import load_recipe, render_recipe  # noqa: E402  (the sentence above must come first)
from edgelstm.recipe.recipe import Recipe  # noqa: E402  (the sentence above must come first)

__all__ = ["Recipe", "load_recipe", "render_recipe"]
