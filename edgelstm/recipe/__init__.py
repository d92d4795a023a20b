"""What is asked of a training: the keys of a recipe, what must fit, and its file. Neither torch nor a network."""

from __future__ import annotations

from edgelstm.errors import require

require("pydantic", "train")

from edgelstm.recipe.file import load_recipe, render_recipe  # noqa: E402  (the sentence above must come first)
from edgelstm.recipe.recipe import Recipe  # noqa: E402  (the sentence above must come first)

__all__ = ["Recipe", "load_recipe", "render_recipe"]
