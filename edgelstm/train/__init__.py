"""Train an LSTM and write a run directory for `edgelstm.export`."""

from __future__ import annotations

from edgelstm.errors import require

require("torch", "train")
require("lightning_fabric", "train")

from edgelstm.recipe import Recipe, load_recipe, render_recipe  # noqa: E402  (require must come first)
from edgelstm.train.finetune import finetune  # noqa: E402  (require must come first)
from edgelstm.train.fit import Fitted, fit, fit_recipe, resume_recipe  # noqa: E402  (require must come first)

__all__ = ["Fitted", "Recipe", "finetune", "fit", "fit_recipe", "load_recipe", "render_recipe", "resume_recipe"]
