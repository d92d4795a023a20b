"""The tables of a recipe: their keys, defaults and bounds, and what must fit inside one of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

from edgelstm.contract import State
from edgelstm.options import Option, TableOptions

Fraction = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
DURATION = r"^[0-9]+(\.[0-9]+)?[smh]$"
TIME_LIMIT = "10m"  # of a training whose epochs nobody gave

# What `edgelstm.train.defaults` settles, prints and keeps with the run; None until then, whatever the type says.
BY_RULE: Any = None
_SIZE, _TASK = "by the number of windows", "by the task"
BY_SPLIT = "with --split"


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


class DataRecipe(TableOptions, Section):
    """`[data]`: which columns of which table, and what to do about gaps."""

    features: Annotated[
        tuple[str, ...], Option("input columns", "the targets, or all of a .ts file", flag="--feature")
    ] = ()
    targets: Annotated[
        tuple[str, ...], Option("columns to forecast or to label; the class of each series", flag="--target")
    ] = ()
    ahead: Annotated[tuple[str, ...], Option("features that are known a horizon ahead: plans, holidays")] = ()
    calendar: Annotated[
        tuple[Literal["hour", "weekday", "yearday"], ...],
        Option("features of the timestamps, computed in the graph, UTC"),
    ] = ()
    drift: Annotated[
        dict[str, Annotated[float, Field(ge=0)]],
        Option(
            "standard deviations by which training shifts a feature whose zero wanders, anew for each window or chunk",
            example="CO2=3",
        ),
    ] = {}
    labels: Annotated[
        str | None,
        Option("to classify: a table with the class of each series or file", "a column or folders say it"),
    ] = None
    classes: Annotated[bool, Option("to label: the target is a class, not a number")] = False
    cap: Annotated[float | None, Option("to label: clip targets at this value", "not clipped")] = None
    units: Annotated[
        dict[str, str], Option("unit of each column, for people and plots", flag="--unit", example="co2=ppm")
    ] = {}
    season: Annotated[
        Annotated[int, Field(ge=2)] | None,
        Option("samples in a season, for the seasonal baseline", "by the calendar and the data"),
    ] = None

    @field_validator("time", mode="before")
    @classmethod
    def _one_column_is_a_list(cls, value: Any) -> Any:
        """Take `time = "date"` and `time = ["date", "clock"]`."""
        return (value,) if isinstance(value, str) else value or ()

    @field_validator("skip_rows", "max_gap")
    @classmethod
    def _as_many_as_the_option_says(cls, value: int | None, info: ValidationInfo) -> int | None:
        least = option_of(cls.model_fields[str(info.field_name)]).least
        if value is not None and least is not None and value < least:
            raise ValueError(f"expected {least} or more, got {value}")
        return value

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

    training: Annotated[
        Fraction | None,
        Option("fraction of the rows from the start, or of the series", "what the others leave", instead=BY_SPLIT),
    ] = None
    validation: Annotated[Fraction, Option("fraction of the rows behind those, or of the series", instead=BY_SPLIT)] = (
        0.15
    )
    test: Annotated[Fraction, Option("fraction of the rows at the end, or of the series", instead=BY_SPLIT)] = 0.15
    borders: Annotated[
        tuple[int | str, ...],
        Field(max_length=3),
        Option("instead of fractions: the row or the date at which each part ends", flag="--border"),
    ] = ()
    validation_path: Annotated[
        str | None, Option("a file of its own for validation", "a part of the data", flag="--validation-file")
    ] = None
    test_path: Annotated[
        str | tuple[str, ...] | None,
        Option("a file of its own for test, or several", "a part of the data", flag="--test-file"),
    ] = None
    overlap: Annotated[bool, Option("validation and test windows may reach back for their inputs", _TASK)] = BY_RULE
    seed: Annotated[
        Annotated[int, Field(ge=0)],
        Option("which of many series go where", instead="in a recipe alone: --seed is that of the training"),
    ] = 0
    groups: Annotated[
        str | None, Option("a table that says the group of each series or file", "there are no groups")
    ] = None
    group: Annotated[str | None, Option("its column of groups", "the one called group, or the other one of two")] = None
    validation_groups: Annotated[
        tuple[str, ...], Option("groups whose series are for validation", flag="--validation-group")
    ] = ()
    test_groups: Annotated[tuple[str, ...], Option("groups whose series are for test", flag="--test-group")] = ()

    @model_validator(mode="after")
    def _one_way_to_split(self) -> SplitRecipe:
        if self.borders and (self.validation_path or self.test_path):
            raise ValueError("borders: give borders or separate files, not both")
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
            got = f"{training:g}, {validation:g} and {test:g}"
            raise ValueError(f"training: expected more than 0, and fractions that sum to at most 1, got {got}")
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

    steps: Annotated[
        Count | None,
        Option(
            "samples in a window, or in a chunk of a carried series; to classify: the most that a series may have",
            "by the season; to classify, what the longest has",
            flag="--window",
        ),
    ] = None
    horizon: Annotated[Count, Option("samples to forecast at once")] = 1
    stride: Annotated[Count, Option("samples from one window to the next")] = 1
    quantiles: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Option("quantiles to forecast in place of one number, such as 0.1", flag="--quantile"),
    ] = ()

    @model_validator(mode="after")
    def _levels_grow(self) -> WindowRecipe:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles: expected levels that grow, got {', '.join(map(str, self.quantiles))}")
        return self


class NetworkRecipe(Section):
    """`[network]`: the LSTM and what stands around it."""

    run: Annotated[
        str | None,
        Option(
            "an imported run whose layers and weights to train on",
            "layers as below, with new weights",
            instead="as the run to fine-tune",
        ),
    ] = None
    hidden_size: Annotated[Count, Option("units of each LSTM layer", _SIZE)] = BY_RULE
    num_layers: Annotated[Annotated[int, Field(ge=1, le=8)], Option("stacked LSTM layers")] = 1
    bidirectional: Annotated[bool, Option("the layers run backwards too; windows only")] = False
    pooling: Annotated[Literal["last", "mean"], Option("the step that answers, or the mean of all")] = "last"
    segment: Annotated[Count, Option("samples that one step eats; windows only", "by window and season")] = BY_RULE
    shared: Annotated[bool, Option("the channels share one network, each is forecast from itself")] = False
    layer_norm: Annotated[bool, Option("layer normalization behind each layer")] = False
    embedding_size: Annotated[
        Annotated[int, Field(ge=0)], Option("width of a linear layer with ReLU in front of the LSTM; 0: none")
    ] = 0
    head_size: Annotated[
        Annotated[int, Field(ge=0)], Option("width of a linear layer with ReLU in front of the head; 0: none")
    ] = 0
    dropout: Annotated[Probability, Option("dropout between layers and before the head", _TASK)] = BY_RULE
    input_dropout: Annotated[Probability, Option("dropout of whole input channels of a window")] = 0.0
    input_noise: Annotated[
        Annotated[float, Field(ge=0)],
        Option("standard deviation of the noise added to scaled inputs, in training only"),
    ] = 0.0
    scaling: Annotated[
        Literal["standard", "minmax", "none", "relative", "instance"],
        Option(
            "done inside the exported graph; relative: minus the window's last value; instance: by the window's own "
            "mean and deviation",
            "by the data",
        ),
    ] = BY_RULE
    start: Annotated[
        Literal["auto", "none", "persistence", "seasonal", "ridge"],
        Option(
            "the line that the network begins with; auto: of a forecast the blend of baselines that is best on "
            "validation, of classes at every step a logistic regression on the sample"
        ),
    ] = "auto"
    state: Annotated[
        State,
        Option(
            "window: from a zero state over a window; carried: may be stepped on",
            "window; of labels carried",
        ),
    ] = "window"

    @model_validator(mode="after")
    def _a_carried_state_sees_no_window(self) -> NetworkRecipe:
        if self.state != "carried":
            return self
        wrong = {
            f"scaling: {self.scaling} needs": self.scaling in ("relative", "instance"),
            "bidirectional: needs": self.bidirectional,
            "pooling: mean needs": self.pooling == "mean",
            "segment: needs": (self.segment or 1) > 1,
        }
        for what, holds in wrong.items():
            if holds:
                raise ValueError(
                    f"{what} a whole window, which a carried network does not have: choose state window, or remove it"
                )
        return self


class TrainingRecipe(Section):
    """`[training]`: how the weights are found."""

    epochs: Annotated[Count, Option("passes over the training windows", _SIZE)] = BY_RULE
    epoch_windows: Annotated[
        Count | None, Option("of a forecast: windows drawn for an epoch", "all, by rule fewer of very many")
    ] = None
    time_limit: Annotated[
        Annotated[str, Field(pattern=DURATION)] | None,
        Option("stop before an epoch that would end later: 90s, 10m, 2h", f"{TIME_LIMIT} where epochs are by rule"),
    ] = None
    batch_size: Annotated[
        Count, Option("windows in a batch of each device; of a carried state, series side by side", _SIZE)
    ] = BY_RULE
    loss: Annotated[
        Literal["mse", "mae", "huber", "pinball", "cross-entropy"] | None,
        Option("loss on scaled targets", "mse, of quantiles pinball, of classes cross-entropy"),
    ] = None
    class_weights: Annotated[Literal["none", "balanced"], Option("balanced: rare classes weigh more")] = "none"
    label_smoothing: Annotated[Probability, Option("label smoothing of the cross-entropy")] = 0.0
    initialization: Annotated[
        Literal["orthogonal", "uniform"],
        Option(
            "weights to begin with; orthogonal: recurrence orthogonal, forget gates open, a head of zeros; uniform: as "
            "torch begins"
        ),
    ] = "orthogonal"
    optimizer: Annotated[Literal["adam", "adamw", "sgd"], Option("optimizer; sgd has momentum 0.9")] = "adamw"
    learning_rate: Annotated[Annotated[float, Field(gt=0)], Option("learning rate at its highest", _TASK)] = BY_RULE
    schedule: Annotated[Literal["constant", "cosine", "one-cycle"], Option("schedule of the learning rate", _TASK)] = (
        BY_RULE
    )
    weight_decay: Annotated[Annotated[float, Field(ge=0)], Option("pull of the weights towards zero")] = 0.0
    gradient_clip: Annotated[Annotated[float, Field(ge=0)], Option("largest gradient norm; 0: no limit")] = 1.0
    average: Annotated[
        Probability,
        Option("decay of the moving average of the weights that is kept, 0.99; 0: no average", _TASK),
    ] = BY_RULE
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"], Option("precision of the arithmetic; others than fp32 need a GPU")
    ] = "fp32"
    patience: Annotated[
        Count | None, Option("epochs without a better validation loss before it stops", "all epochs are trained")
    ] = None
    threads: Annotated[
        Count | None,
        Option(
            "CPU threads; another count rounds differently, pin it to reproduce",
            "1 for a small network, else torch's choice",
        ),
    ] = None
    devices: Annotated[Count, Option("devices of each node: GPUs, or processes without any; each has its batches")] = 1
    nodes: Annotated[
        Count,
        Option("machines that train together; each needs NODE_RANK, MASTER_ADDR and MASTER_PORT"),
    ] = 1
    strategy: Annotated[
        Literal["auto", "ddp"],
        Option("how several devices train together; ddp: each has the network, gradients are averaged"),
    ] = "auto"
    seed: Annotated[Annotated[int, Field(ge=0, lt=2**31)], Option("seed of everything random")] = 0


class QuantizationRecipe(Section):
    """`[quantization]`: after the training, epochs that feel the arithmetic of an int8 file; absent, there are none."""

    precision: Annotated[
        Literal["int8", "int8w"],
        Option("the file to train for; left out, an imported run learns in float32", flag="--quantize"),
    ] = "int8"
    per_channel: Annotated[
        bool,
        Option("a scale for each gate row and output; else one for each tensor", flag="--per-channel/--per-tensor"),
    ] = True
    clip: Annotated[
        Literal["none", "percentile", "mse"], Option("how the range of a scale of int8 weights is chosen")
    ] = "none"
    head: Annotated[Literal["int8", "fp32"], Option("precision of the layers behind the LSTM")] = "int8"
    epochs: Annotated[Count, Option("further passes over the training windows; of an imported run in float32 more")] = 8
    learning_rate_factor: Annotated[
        Annotated[float, Field(gt=0)],
        Option("times the learning rate of the training, falling to 0 as a cosine"),
    ] = 0.2
    start: Annotated[
        str | None,
        Option("a run whose weights to begin with", "they are trained first", instead="as the run to fine-tune"),
    ] = None

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


def option_of(field: FieldInfo) -> Option:
    """Find what is said of a key of a recipe.

    Example:
        >>> option_of(TrainingRecipe.model_fields["patience"]).about
        'epochs without a better validation loss before it stops'
    """
    return next(one for one in field.metadata if isinstance(one, Option))


def nearest(key: str, known: list[str]) -> str:
    """Say which known key a misspelt one may have meant.

    Example:
        >>> nearest("hiden_size", ["hidden_size", "epochs"])
        "did you mean 'hidden_size'?"
    """
    matches = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {matches[0]!r}?" if matches else f"known: {', '.join(known) or 'none'}"
