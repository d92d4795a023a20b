"""Recipes: everything that is asked of a training, checked before any work is done."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgelstm.data.readers.read import BUILTIN
from edgelstm.errors import RecipeError, require

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    """A table of a recipe: unknown keys are errors, and nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataRecipe(_Section):
    """`[data]`: which columns of which table, and what to do about gaps."""

    path: str = Field(description="a CSV or Parquet file, beside the recipe, or builtin:co2")
    time: str | None = Field(None, description="the column of timestamps; none: rows are equally spaced")
    features: tuple[str, ...] = Field((), description="input columns; none named: the targets")
    targets: tuple[str, ...] = Field(min_length=1, description="columns to forecast")
    units: dict[str, str] = Field({}, description="unit of each column, for people and plots")
    missing: Literal["interpolate", "forward", "drop", "error"] = Field("error", description="what to do about gaps")
    resample: str | None = Field(None, description="average into bins of this length: 10m, 1h, 1d, 1w")
    season: Annotated[int, Field(ge=2)] | None = Field(
        None, description="samples in a season, for the seasonal baseline; none: guessed from the timestamps"
    )

    @model_validator(mode="after")
    def _columns_fit(self) -> DataRecipe:
        for what, names in (("features", self.features), ("targets", self.targets)):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{what}: {twice[0]!r} is named twice")
        columns = [*self.features, *self.targets]
        for name in self.units.keys() - set(columns):
            raise ValueError(f"units: there is no column {name!r}; {nearest(name, columns)}")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input columns: the features, or the targets where no feature is named."""
        return self.features or self.targets


class SplitRecipe(_Section):
    """`[split]`: training, validation and test, in the order of time."""

    training: Fraction = Field(0.7, description="fraction of the rows, from the start")
    validation: Fraction = Field(0.15, description="fraction of the rows that follow")
    test: Fraction = Field(0.15, description="fraction of the rows that follow")
    borders: tuple[int | str, ...] = Field(
        (), max_length=3, description="instead of fractions: the row or the date at which each part ends"
    )
    validation_path: str | None = Field(None, description="instead of fractions: a file of its own for validation")
    test_path: str | None = Field(None, description="instead of fractions: a file of its own for test")
    overlap: bool = Field(False, description="validation and test windows may reach back for their inputs")

    @model_validator(mode="after")
    def _one_way_to_split(self) -> SplitRecipe:
        if self.borders and (self.validation_path or self.test_path):
            raise ValueError("give borders or separate files, not both")
        fractions = (self.training, self.validation, self.test)
        defaults = tuple(type(self).model_fields[name].default for name in ("training", "validation", "test"))
        if (self.borders or self.validation_path or self.test_path) and fractions != defaults:
            raise ValueError("give fractions, borders or separate files, not two of them")
        if self.training <= 0 or self.training + self.validation + self.test > 1 + 1e-9:
            raise ValueError("training must be above 0 and the fractions must sum to at most 1")
        return self


class WindowRecipe(_Section):
    """`[window]`: what the network sees and what it answers."""

    steps: Count = Field(description="samples in a window")
    horizon: Count = Field(1, description="samples to forecast at once")
    stride: Count = Field(1, description="samples from one window to the next")


class NetworkRecipe(_Section):
    """`[network]`: the LSTM and what stands around it."""

    hidden_size: Count = Field(64, description="units of each layer")
    num_layers: Annotated[int, Field(ge=1, le=8)] = Field(1, description="stacked LSTM layers")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="between layers and before the head")
    scaling: Literal["standard", "minmax", "none", "relative"] = Field(
        "standard", description="done inside the exported graph; relative: minus the window's last value"
    )
    state: Literal["window", "carried"] = Field(
        "window", description="window: from a zero state over a window; carried: may be stepped on"
    )

    @model_validator(mode="after")
    def _relative_needs_a_window(self) -> NetworkRecipe:
        if self.scaling == "relative" and self.state == "carried":
            raise ValueError(
                "relative scaling needs the last value of a window, which a carried network never has: choose "
                "state window, or standard scaling"
            )
        return self


class TrainingRecipe(_Section):
    """`[training]`: how the weights are found."""

    epochs: Count = Field(60, description="passes over the training windows")
    batch_size: Count = Field(32, description="windows in a batch")
    loss: Literal["mse", "mae", "huber"] = Field("mse", description="on scaled targets")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adamw", description="sgd has momentum 0.9")
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-3, description="at its highest")
    schedule: Literal["constant", "cosine", "one-cycle"] = Field("constant", description="of the learning rate")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="pull of the weights towards zero")
    gradient_clip: Annotated[float, Field(ge=0)] = Field(1.0, description="largest gradient norm; 0: no limit")
    patience: Count | None = Field(None, description="stop after so many epochs without a better validation loss")
    threads: Count | None = Field(
        None,
        description="CPU threads; none: torch's choice. Another count rounds differently, pin it to reproduce",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="of everything random")


class QuantizationRecipe(_Section):
    """`[quantization]`: after the training, epochs that feel the arithmetic of an int8 file; absent, there are none."""

    precision: Literal["int8", "int8w"] = Field("int8", description="the file to train for")
    per_channel: bool = Field(True, description="a scale for each gate row and output; else one for each tensor")
    clip: Literal["none", "percentile", "mse"] = Field("none", description="how the range of a scale is chosen")
    head: Literal["int8", "fp32"] = Field("int8", description="precision of the layer behind the LSTM")
    epochs: Count = Field(8, description="further passes over the training windows")
    learning_rate_factor: Annotated[float, Field(gt=0)] = Field(
        0.2, description="times the learning rate of the training, falling to 0 as a cosine"
    )
    start: str | None = Field(None, description="a run whose weights to begin with; none: they are trained first")

    def training_of(self, training: TrainingRecipe) -> TrainingRecipe:
        """Give the settings of the further epochs: those of the training, gentler and without early stopping."""
        gentler = training.learning_rate * self.learning_rate_factor
        changes = {"epochs": self.epochs, "learning_rate": gentler, "schedule": "cosine", "patience": None}
        return training.model_copy(update=changes)


class Recipe(_Section):
    """A whole recipe."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "lstm", description="of the run and its files"
    )
    task: Literal["forecast"] = Field("forecast", description="what to learn")
    data: DataRecipe
    split: SplitRecipe = SplitRecipe()
    window: WindowRecipe
    network: NetworkRecipe = NetworkRecipe()
    training: TrainingRecipe = TrainingRecipe()
    quantization: QuantizationRecipe | None = None


def load_recipe(path: str | Path | None, flags: Mapping[str, Mapping[str, Any]]) -> Recipe:
    """Read a recipe file and lay flags over it.

    Args:
        path: a TOML file; paths in it are relative to its folder. None: flags alone.
        flags: values by section and key, which win; the section `""` is the top level.

    Raises:
        RecipeError: no such file, no TOML, a misspelt key (the nearest is named), a wrong value.

    Example:
        >>> flags = {"data": {"path": "x.csv", "targets": ("y",)}, "window": {"steps": 10}}
        >>> load_recipe(None, flags).network.hidden_size
        64
    """
    content = {} if path is None else _read_toml(Path(path))
    for section, values in flags.items():
        table = content if section == "" else content.setdefault(section, {})
        if not isinstance(table, dict):
            raise RecipeError(f"{path}: {section}: expected a table, got {table!r}")
        table.update(values)
    _make_paths_absolute(content)
    return check_recipe(content, str(path) if path else "options")


def check_recipe(content: Mapping[str, Any], name: str) -> Recipe:
    """Check parsed content; see `load_recipe`."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"{name}: {_first_complaint(error)}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    tomllib = _toml_reader()
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: there is no such recipe") from error
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read as TOML: {error}") from error
    _make_paths_absolute(content, path.parent)
    return content


def _make_paths_absolute(content: dict[str, Any], folder: Path = Path()) -> None:
    """Anchor the paths of a recipe, so that it means the same from any folder: a resume may come from another."""
    for section, key in (
        ("data", "path"),
        ("split", "validation_path"),
        ("split", "test_path"),
        ("quantization", "start"),
    ):
        table = content.get(section)
        value = table.get(key) if isinstance(table, dict) else None
        if isinstance(value, str) and not value.startswith(BUILTIN):
            table[key] = str((folder / value).absolute())  # type: ignore[index]


def _toml_reader() -> Any:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        return require("tomli", "train")
    return tomllib


_OPTIONS = {
    "data": "as the first argument or in a --recipe",
    "data.path": "as the first argument",
    "data.targets": "with --target",
    "window": "with --window",
    "window.steps": "with --window",
}


def _first_complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "recipe"
    if first["type"] == "extra_forbidden":
        return f"{place}: there is no such key; {nearest(str(first['loc'][-1]), _known_keys(first['loc'][:-1]))}"
    if first["type"] == "missing":
        return f"{place}: is missing; give it {_OPTIONS.get(place, 'in the recipe')}"
    message = first["msg"].removeprefix("Value error, ")
    got = "" if first["type"] == "value_error" else f", got {first['input']!r}"
    return f"{place}: {message}{got}"


def nearest(key: str, known: list[str]) -> str:
    """Say which known key a misspelt one may have meant.

    Example:
        >>> nearest("hiden_size", ["hidden_size", "epochs"])
        "did you mean 'hidden_size'?"
    """
    matches = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {matches[0]!r}?" if matches else f"known are {', '.join(known)}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    kind: Any = Recipe
    for part in location:
        kind = kind.model_fields[part].annotation
        kind = next((inner for inner in get_args(kind) if inner is not type(None)), kind)
    return list(kind.model_fields)
