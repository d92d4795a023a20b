"""The tables of a recipe: their keys, defaults and bounds, and what must fit inside one of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edgelstm.contract import State

Fraction = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
DURATION = r"^[0-9]+(\.[0-9]+)?[smh]$"


def _by_rule(about: str) -> Any:
    """A key that `edgelstm.train.defaults` settles where nobody gives it; None until then, whatever its type says."""
    return Field(None, description=f"{about}; none: by rule, printed and kept with the run")


class Section(BaseModel):
    """A table of a recipe: unknown keys are errors, and nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _none_is_not_given(cls, content: Any) -> Any:
        """Take null for a key that was not given, as it is written for one that a rule has not settled yet."""
        if not isinstance(content, Mapping):
            return content
        fields = cls.model_fields
        return {
            key: value
            for key, value in content.items()
            if value is not None or key not in fields or fields[key].default is not None
        }


def seconds_of(duration: str) -> float:
    """Read a duration of a recipe.

    Example:
        >>> seconds_of("90s"), seconds_of("1.5m"), seconds_of("2h")
        (90.0, 90.0, 7200.0)
    """
    return float(duration[:-1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[duration[-1]]


class DataRecipe(Section):
    """`[data]`: which columns of which table, and what to do about gaps."""

    path: str = Field(
        description="a file, a folder or a pattern of files with a series in each, beside the recipe, or builtin:co2"
    )
    format: str | None = Field(None, description="csv, parquet, ts, cmapss; none: by the ending of the file")
    delimiter: str | None = Field(None, description="between fields: ',', ';', tab, '|' or blank; none: found out")
    decimal: Literal[".", ","] | None = Field(None, description="the decimal sign; none: found out")
    encoding: str | None = Field(None, description="utf-8, utf-16, latin-1; none: found out")
    skip_rows: Annotated[int, Field(ge=0)] | None = Field(
        None, description="lines in front of the header; none: found out"
    )
    header: bool | None = Field(None, description="the first line names the columns; none: found out")
    na: tuple[str, ...] = Field((), description="words and numbers that stand for a missing sample: ['-200']")
    time: tuple[str, ...] = Field(
        (), description="the column of timestamps, or several that make one; none: rows are equally spaced"
    )
    time_format: str | None = Field(None, description="of the timestamps, in strptime's words; none: found out")
    time_zone: str | None = Field(None, description="of timestamps without one: Europe/Berlin; none: UTC")
    duplicates: Literal["error", "first", "last", "mean"] = Field(
        "error", description="what to take of different rows of one time"
    )
    series: str | None = Field(None, description="the column that tells series apart; none: the table is one")
    features: tuple[str, ...] = Field((), description="input columns; none named: the targets, or all of a .ts file")
    targets: tuple[str, ...] = Field((), description="columns to forecast or to label; the class of each series")
    ahead: tuple[str, ...] = Field((), description="features that are known a horizon ahead: plans, holidays")
    calendar: tuple[Literal["hour", "weekday", "yearday"], ...] = Field(
        (), description="features of the timestamps, computed in the graph, UTC"
    )
    drift: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {},
        description="of features whose zero wanders: by how many standard deviations training shifts them, anew for "
        "each window or chunk",
    )
    labels: str | None = Field(
        None, description="to classify: a table with the class of each series or file; none: a column or folders say it"
    )
    classes: bool = Field(False, description="to label: the target is a class, not a number")
    cap: float | None = Field(None, description="to label: targets above it count as it")
    units: dict[str, str] = Field({}, description="unit of each column, for people and plots")
    missing: Literal["interpolate", "forward", "drop", "error"] = Field(
        "interpolate", description="what to do about gaps"
    )
    max_gap: Annotated[int, Field(ge=0)] | None = Field(
        None, description="the most samples in a row that are filled; no window reaches over more; none: by the season"
    )
    resample: str | None = Field(None, description="average into bins of this length: 10m, 1h, 1d, 1w, 1mo, 1q, 1y")
    season: Annotated[int, Field(ge=2)] | None = Field(
        None, description="samples in a season, for the seasonal baseline; none: guessed from the timestamps"
    )

    @field_validator("time", mode="before")
    @classmethod
    def _one_column_is_a_list(cls, value: Any) -> Any:
        """Take `time = "date"` and `time = ["date", "clock"]`."""
        return (value,) if isinstance(value, str) else value or ()

    @model_validator(mode="after")
    def _columns_fit(self) -> DataRecipe:
        for what in ("features", "targets", "ahead", "calendar"):
            names = getattr(self, what)
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{what}: {twice[0]!r} is named twice")
        for name in self.ahead:
            if name in self.targets:
                raise ValueError(f"ahead: {name!r} is a target, what is to be forecast is not known: leave it out")
            if name not in self.features:
                raise ValueError(f"ahead: {name!r} must be one of the features; {nearest(name, list(self.features))}")
        for name in self.drift:
            if name not in self.inputs:
                raise ValueError(f"drift: there is no feature {name!r}; {nearest(name, list(self.inputs))}")
        columns = [*self.features, *self.targets]
        for name in self.units.keys() - set(columns) if columns else ():
            raise ValueError(f"units: there is no column {name!r}; {nearest(name, columns)}")
        if self.calendar and not self.time:
            raise ValueError("calendar: expected a column of timestamps, got none: give data.time (--time)")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input columns: the features, or the targets where no feature is named."""
        return self.features or self.targets


class SplitRecipe(Section):
    """`[split]`: training, validation and test; a long series in the order of time, many series by whole ones."""

    training: Fraction | None = Field(
        None, description="fraction of the rows from the start, or of the series; none: what the others leave"
    )
    validation: Fraction = Field(0.15, description="fraction of the rows behind those, or of the series")
    test: Fraction = Field(0.15, description="fraction of the rows at the end, or of the series")
    borders: tuple[int | str, ...] = Field(
        (), max_length=3, description="instead of fractions: the row or the date at which each part ends"
    )
    validation_path: str | None = Field(None, description="a file of its own for validation")
    test_path: str | tuple[str, ...] | None = Field(None, description="a file of its own for test, or several")
    overlap: bool = _by_rule("validation and test windows may reach back for their inputs")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="which of many series go where")
    groups: str | None = Field(None, description="a table that says the group of each series or file")
    group: str | None = Field(None, description="its column of groups; none: called group, or the other one of two")
    validation_groups: tuple[str, ...] = Field((), description="groups whose series are for validation")
    test_groups: tuple[str, ...] = Field((), description="groups whose series are for test")

    @model_validator(mode="after")
    def _one_way_to_split(self) -> SplitRecipe:
        if self.borders and (self.validation_path or self.test_path):
            raise ValueError("give borders or separate files, not both")
        if (self.groups is None) != (not self.validation_groups and not self.test_groups):
            raise ValueError(
                "groups: expected a table of groups (--groups) and which of them are held out (--test-group, "
                "--validation-group), got one without the other"
            )
        for part, path in (("validation", self.validation_path), ("test", self.test_path)):
            if path and getattr(self, f"{part}_groups"):
                raise ValueError(f"{part}_path and {part}_groups: give files or groups, not both")
        both = sorted(set(self.validation_groups) & set(self.test_groups))
        if both:
            raise ValueError(f"validation_groups: group {both[0]!r} is held out for test already")
        training, validation, test = self.fractions
        if training <= 0 or training + validation + test > 1 + 1e-9:
            raise ValueError("training must be above 0 and the fractions must sum to at most 1")
        return self

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Of training, validation and test in the first file; a part with files or groups of its own takes nothing."""
        validation = 0.0 if self.validation_path or self.validation_groups else self.validation
        test = 0.0 if self.test_path or self.test_groups else self.test
        return 1 - validation - test if self.training is None else self.training, validation, test

    @property
    def test_paths(self) -> tuple[str, ...]:
        """The files of the test part; empty where it is a fraction."""
        return (self.test_path,) if isinstance(self.test_path, str) else self.test_path or ()


class WindowRecipe(Section):
    """`[window]`: what the network sees and what it answers."""

    steps: Count | None = Field(
        None,
        description="samples in a window, or in a chunk of a carried series; to classify: the most that a series may "
        "have; none: what the longest has; of a forecast by the season",
    )
    horizon: Count = Field(1, description="samples to forecast at once")
    stride: Count = Field(1, description="samples from one window to the next")
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (), description="forecast these quantiles, such as [0.1, 0.5, 0.9], not one number"
    )

    @model_validator(mode="after")
    def _levels_grow(self) -> WindowRecipe:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles: expected levels that grow, got {', '.join(map(str, self.quantiles))}")
        return self


class NetworkRecipe(Section):
    """`[network]`: the LSTM and what stands around it."""

    hidden_size: Count = _by_rule("units of each layer")
    num_layers: Annotated[int, Field(ge=1, le=8)] = Field(1, description="stacked LSTM layers")
    bidirectional: bool = Field(False, description="the layers run backwards too; windows only")
    pooling: Literal["last", "mean"] = Field("last", description="the step that answers, or the mean of all")
    segment: Count = _by_rule("samples that one step eats; windows only")
    shared: bool = Field(False, description="the channels share one network, each is forecast from itself")
    layer_norm: bool = Field(False, description="layer normalization behind each layer")
    embedding_size: Annotated[int, Field(ge=0)] = Field(
        0, description="width of a linear layer with ReLU in front of the LSTM; 0: none"
    )
    head_size: Annotated[int, Field(ge=0)] = Field(
        0, description="width of a linear layer with ReLU in front of the head; 0: none"
    )
    dropout: Probability = _by_rule("between layers and before the head")
    input_dropout: Probability = Field(0.0, description="of whole input channels of a window")
    input_noise: Annotated[float, Field(ge=0)] = Field(
        0.0, description="standard deviation of what is added to scaled inputs, in training only"
    )
    scaling: Literal["standard", "minmax", "none", "relative", "instance"] = _by_rule(
        "done inside the exported graph; relative: minus the window's last value; instance: by the window's own mean "
        "and deviation"
    )
    start: Literal["auto", "none", "persistence", "seasonal", "ridge"] = Field(
        "auto",
        description="the line that the network begins with; auto: of a forecast the blend of baselines that is best on "
        "validation, of classes at every step a logistic regression on the sample",
    )
    state: State = Field("window", description="window: from a zero state over a window; carried: may be stepped on")

    @model_validator(mode="after")
    def _a_carried_state_sees_no_window(self) -> NetworkRecipe:
        if self.state != "carried":
            return self
        wrong = {
            f"{self.scaling} scaling needs": self.scaling in ("relative", "instance"),
            "bidirectional needs": self.bidirectional,
            "a mean over the steps needs": self.pooling == "mean",
            "a segment needs": (self.segment or 1) > 1,
        }
        for what, holds in wrong.items():
            if holds:
                raise ValueError(
                    f"{what} a whole window, which a carried network never has: choose state window, or leave it out"
                )
        return self


class TrainingRecipe(Section):
    """`[training]`: how the weights are found."""

    epochs: Count = _by_rule("passes over the training windows")
    epoch_windows: Count | None = Field(
        None, description="of a forecast: windows drawn for an epoch; none: all, by rule fewer of very many"
    )
    time_limit: Annotated[str, Field(pattern=DURATION)] | None = Field(
        None, description="stop before an epoch that would end later: 90s, 10m, 2h; none: 10m where epochs are by rule"
    )
    batch_size: Count = _by_rule("windows in a batch; of a carried state, series side by side")
    loss: Literal["mse", "mae", "huber", "pinball", "cross-entropy"] | None = Field(
        None, description="on scaled targets; none: mse, of quantiles pinball, of classes cross-entropy"
    )
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: rare classes weigh more")
    label_smoothing: Probability = Field(0.0, description="of cross-entropy")
    initialization: Literal["orthogonal", "uniform"] = Field(
        "orthogonal", description="orthogonal recurrence, open forget gates, a head of zeros; uniform: as torch begins"
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adamw", description="sgd has momentum 0.9")
    learning_rate: Annotated[float, Field(gt=0)] = _by_rule("at its highest")
    schedule: Literal["constant", "cosine", "one-cycle"] = _by_rule("of the learning rate")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="pull of the weights towards zero")
    gradient_clip: Annotated[float, Field(ge=0)] = Field(1.0, description="largest gradient norm; 0: no limit")
    average: Probability = _by_rule("keep an exponential moving average of the weights with this decay, 0.99; 0: none")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="of the arithmetic; others need a GPU")
    patience: Count | None = Field(None, description="stop after so many epochs without a better validation loss")
    threads: Count | None = Field(
        None,
        description="CPU threads; none: 1 for a small network, else torch's choice. Another count rounds differently, "
        "pin it to reproduce",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="of everything random")


class QuantizationRecipe(Section):
    """`[quantization]`: after the training, epochs that feel the arithmetic of an int8 file; absent, there are none."""

    precision: Literal["int8", "int8w"] = Field("int8", description="the file to train for")
    per_channel: bool = Field(True, description="a scale for each gate row and output; else one for each tensor")
    clip: Literal["none", "percentile", "mse"] = Field("none", description="how the range of a scale is chosen")
    head: Literal["int8", "fp32"] = Field("int8", description="precision of the layers behind the LSTM")
    epochs: Count = Field(8, description="further passes over the training windows")
    learning_rate_factor: Annotated[float, Field(gt=0)] = Field(
        0.2, description="times the learning rate of the training, falling to 0 as a cosine"
    )
    start: str | None = Field(None, description="a run whose weights to begin with; none: they are trained first")

    def training_of(self, training: TrainingRecipe) -> TrainingRecipe:
        """Give the settings of the further epochs: those of the training, gentler and without early stopping."""
        gentler = training.learning_rate * self.learning_rate_factor
        changes = {
            "epochs": self.epochs,
            "learning_rate": gentler,
            "schedule": "cosine",
            "patience": None,
            "average": 0.0,
            "time_limit": None,
        }
        return training.model_copy(update=changes)


def nearest(key: str, known: list[str]) -> str:
    """Say which known key a misspelt one may have meant.

    Example:
        >>> nearest("hiden_size", ["hidden_size", "epochs"])
        "did you mean 'hidden_size'?"
    """
    matches = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {matches[0]!r}?" if matches else f"known are {', '.join(known)}"
