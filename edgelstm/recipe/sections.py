"""The tables of a recipe: keys, defaults, bounds, and the checks inside one table."""

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
TIME_LIMIT = "10m"  # of a training without given epochs

# The value that `edgelstm.train.defaults` sets, prints and keeps with the run; None until then, despite the type.
BY_RULE: Any = None
_SIZE, _TASK = "by the number of windows", "by the task"
BY_SPLIT = "with --split"


class Section(BaseModel):
    """A table of a recipe: unknown keys are errors, and it is frozen after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _none_is_not_given(cls, content: Any) -> Any:
        """Treat null as not given: it is written for a key whose rule has not been applied yet."""
        if not isinstance(content, Mapping):
            return content
        fields = cls.model_fields
        return {
            key: value
            for key, value in content.items()
            if value is not None or key not in fields or fields[key].default is not None
        }


def seconds_of(duration: str) -> float:
    """Convert a duration to seconds.

    Example:
        >>> seconds_of("90s"), seconds_of("1.5m"), seconds_of("2h")
        (90.0, 90.0, 7200.0)
    """
    return float(duration[:-1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[duration[-1]]


class DataRecipe(TableOptions, Section):
    """`[data]`: which columns of which table, and how to fill gaps."""

    features: Annotated[
        tuple[str, ...], Option("input columns", "the targets, or all of a .ts file", flag="--feature")
    ] = ()
    targets: Annotated[
        tuple[str, ...], Option("columns to forecast or to label; to classify: the class", flag="--target")
    ] = ()
    ahead: Annotated[tuple[str, ...], Option("features known for the whole horizon: plans, holidays")] = ()
    calendar: Annotated[
        tuple[Literal["hour", "weekday", "yearday"], ...],
        Option("calendar features, computed in the graph from the timestamps (UTC)"),
    ] = ()
    drift: Annotated[
        dict[str, Annotated[float, Field(ge=0)]],
        Option(
            "standard deviation of a random shift of a feature in training, in standard deviations of the feature",
            example="CO2=3",
        ),
    ] = {}
    labels: Annotated[
        str | None,
        Option("to classify: table with the class of each series or file", "a column or folders give the class"),
    ] = None
    classes: Annotated[bool, Option("to label: the target is a class, not a number")] = False
    cap: Annotated[float | None, Option("to label: clip targets at this value", "not clipped")] = None
    units: Annotated[
        dict[str, str], Option("units of columns, for messages and plots", flag="--unit", example="co2=ppm")
    ] = {}
    season: Annotated[
        Annotated[int, Field(ge=2)] | None,
        Option("season length in samples, for the seasonal baseline", "by calendar and data"),
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
                raise ValueError(f"{what}: {twice[0]!r} is given twice")
        for name in self.ahead:
            if name in self.targets:
                raise ValueError(f"ahead: {name!r} is a target, whose future is not known: remove it from --ahead")
            if name not in self.features:
                raise ValueError(f"ahead: {name!r} must be a feature too; {nearest(name, list(self.features))}")
        for name in self.drift:
            if name not in self.inputs:
                raise ValueError(f"drift: unknown feature {name!r}; {nearest(name, list(self.inputs))}")
        columns = [*self.features, *self.targets]
        for name in self.units.keys() - set(columns) if columns else ():
            raise ValueError(f"units: unknown column {name!r}; {nearest(name, columns)}")
        if self.calendar and not self.time:
            raise ValueError("calendar: expected a timestamp column, got none: give data.time (--time)")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input columns: the features, or the targets if no feature is given."""
        return self.features or self.targets


class SplitRecipe(Section):
    """`[split]`: training, validation and test; one series is split in time, many by whole series."""

    training: Annotated[
        Fraction | None,
        Option("fraction of the first rows, or of the series", "the rest", instead=BY_SPLIT),
    ] = None
    validation: Annotated[Fraction, Option("fraction of the rows after those, or of the series", instead=BY_SPLIT)] = (
        0.15
    )
    test: Annotated[Fraction, Option("fraction of the last rows, or of the series", instead=BY_SPLIT)] = 0.15
    borders: Annotated[
        tuple[int | str, ...],
        Field(max_length=3),
        Option("rows or dates at which the parts end, instead of fractions", flag="--border"),
    ] = ()
    validation_path: Annotated[
        str | None, Option("separate validation file", "a part of the data", flag="--validation-file")
    ] = None
    test_path: Annotated[
        str | tuple[str, ...] | None,
        Option("separate test files", "a part of the data", flag="--test-file"),
    ] = None
    overlap: Annotated[bool, Option("validation and test windows may read the part before them", _TASK)] = BY_RULE
    seed: Annotated[
        Annotated[int, Field(ge=0)],
        Option("seed that assigns many series to the parts", instead="in a recipe: --seed is that of the training"),
    ] = 0
    groups: Annotated[str | None, Option("table with the group of each series or file", "no groups")] = None
    group: Annotated[str | None, Option("column of the groups in it", "group, or the other one of two")] = None
    validation_groups: Annotated[
        tuple[str, ...], Option("groups to hold out for validation", flag="--validation-group")
    ] = ()
    test_groups: Annotated[tuple[str, ...], Option("groups to hold out for test", flag="--test-group")] = ()

    @model_validator(mode="after")
    def _one_way_to_split(self) -> SplitRecipe:
        if self.borders and (self.validation_path or self.test_path):
            raise ValueError("borders: they and separate files exclude each other: remove one of them")
        if (self.groups is None) != (not self.validation_groups and not self.test_groups):
            raise ValueError(
                "groups: expected a table of groups (--groups) and groups to hold out (--test-group, "
                "--validation-group), got only one of them"
            )
        for part, path in (("validation", self.validation_path), ("test", self.test_path)):
            if path and getattr(self, f"{part}_groups"):
                raise ValueError(f"{part}_path: a separate file and groups exclude each other: remove one of them")
        both = sorted(set(self.validation_groups) & set(self.test_groups))
        if both:
            raise ValueError(f"validation_groups: group {both[0]!r} is already held out for test")
        training, validation, test = self.fractions
        if training <= 0 or training + validation + test > 1 + 1e-9:
            got = f"{training:g}, {validation:g} and {test:g}"
            raise ValueError(f"training: expected more than 0, and fractions that sum to at most 1, got {got}")
        return self

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Fractions of the first file for training, validation and test; 0 for a part with its own files or groups."""
        validation = 0.0 if self.validation_path or self.validation_groups else self.validation
        test = 0.0 if self.test_path or self.test_groups else self.test
        return 1 - validation - test if self.training is None else self.training, validation, test

    @property
    def test_paths(self) -> tuple[str, ...]:
        """The files of the test part; empty if it is a fraction."""
        return (self.test_path,) if isinstance(self.test_path, str) else self.test_path or ()


class WindowRecipe(Section):
    """`[window]`: what the network reads and what it answers."""

    steps: Annotated[
        Count | None,
        Option(
            "samples in a window, or in a chunk of a carried series; to classify: the longest series",
            "by the season; to classify: the longest in the data",
            flag="--window",
        ),
    ] = None
    horizon: Annotated[Count, Option("samples to forecast at once")] = 1
    stride: Annotated[Count, Option("samples from one window to the next")] = 1
    quantiles: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Option("quantiles to forecast instead of one number, such as 0.1", flag="--quantile"),
    ] = ()

    @model_validator(mode="after")
    def _levels_grow(self) -> WindowRecipe:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles: expected ascending levels, got {', '.join(map(str, self.quantiles))}")
        return self


class NetworkRecipe(Section):
    """`[network]`: the LSTM and the layers around it."""

    run: Annotated[
        str | None,
        Option(
            "an imported run whose layers and weights to train further",
            "the layers below, with new weights",
            instead="as the run to fine-tune",
        ),
    ] = None
    hidden_size: Annotated[Count, Option("units of each LSTM layer", _SIZE)] = BY_RULE
    num_layers: Annotated[Annotated[int, Field(ge=1, le=8)], Option("stacked LSTM layers")] = 1
    bidirectional: Annotated[bool, Option("run the layers in both directions; for windows only")] = False
    pooling: Annotated[Literal["last", "mean"], Option("input of the head: last step, or mean of all steps")] = "last"
    segment: Annotated[Count, Option("samples read in one step; for windows only", "by window and season")] = BY_RULE
    shared: Annotated[bool, Option("one network for all channels, each forecast from itself")] = False
    layer_norm: Annotated[bool, Option("layer normalization after each layer")] = False
    embedding_size: Annotated[
        Annotated[int, Field(ge=0)], Option("width of a linear layer with ReLU before the LSTM; 0: none")
    ] = 0
    head_size: Annotated[
        Annotated[int, Field(ge=0)], Option("width of a linear layer with ReLU before the head; 0: none")
    ] = 0
    dropout: Annotated[Probability, Option("dropout between layers and before the head", _TASK)] = BY_RULE
    input_dropout: Annotated[Probability, Option("dropout of whole input channels of a window")] = 0.0
    input_noise: Annotated[
        Annotated[float, Field(ge=0)],
        Option("standard deviation of noise on the scaled inputs, in training only"),
    ] = 0.0
    scaling: Annotated[
        Literal["standard", "minmax", "none", "relative", "instance"],
        Option(
            "scaling inside the graph; relative: minus the last value of the window; instance: by mean and deviation "
            "of the window",
            "by the data",
        ),
    ] = BY_RULE
    start: Annotated[
        Literal["auto", "none", "persistence", "seasonal", "ridge"],
        Option(
            "straight line to start from; auto: for forecasts the blend of baselines that is best on validation, for "
            "classes at every step a logistic regression on the sample"
        ),
    ] = "auto"
    state: Annotated[
        State,
        Option(
            "state of the LSTM; window: zero at the start of each window; carried: kept from step to step",
            "window; for labels carried",
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
    """`[training]`: how the weights are trained."""

    epochs: Annotated[Count, Option("passes over the training windows", _SIZE)] = BY_RULE
    epoch_windows: Annotated[
        Count | None, Option("windows drawn per epoch, for forecasts", "all; a sample if there are very many")
    ] = None
    time_limit: Annotated[
        Annotated[str, Field(pattern=DURATION)] | None,
        Option("time limit of the training: 90s, 10m, 2h", f"{TIME_LIMIT}; none with --epochs"),
    ] = None
    batch_size: Annotated[
        Count, Option("windows per batch and device; with a carried state: series side by side", _SIZE)
    ] = BY_RULE
    loss: Annotated[
        Literal["mse", "mae", "huber", "pinball", "cross-entropy"] | None,
        Option("loss on scaled targets", "mse; for quantiles pinball, for classes cross-entropy"),
    ] = None
    class_weights: Annotated[Literal["none", "balanced"], Option("class weights; balanced: rare ones weigh more")] = (
        "none"
    )
    label_smoothing: Annotated[Probability, Option("label smoothing of the cross-entropy")] = 0.0
    initialization: Annotated[
        Literal["orthogonal", "uniform"],
        Option(
            "initial weights; orthogonal: orthogonal recurrence, open forget gates, zero head; uniform: as in torch"
        ),
    ] = "orthogonal"
    optimizer: Annotated[Literal["adam", "adamw", "sgd"], Option("optimizer; sgd has momentum 0.9")] = "adamw"
    learning_rate: Annotated[Annotated[float, Field(gt=0)], Option("peak learning rate", _TASK)] = BY_RULE
    schedule: Annotated[Literal["constant", "cosine", "one-cycle"], Option("schedule of the learning rate", _TASK)] = (
        BY_RULE
    )
    weight_decay: Annotated[Annotated[float, Field(ge=0)], Option("weight decay")] = 0.0
    gradient_clip: Annotated[Annotated[float, Field(ge=0)], Option("largest gradient norm; 0: no limit")] = 1.0
    average: Annotated[
        Probability,
        Option("decay of the moving average of the weights, such as 0.99; 0: no average", _TASK),
    ] = BY_RULE
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"], Option("precision of the arithmetic; bf16 and fp16 need a GPU")
    ] = "fp32"
    patience: Annotated[
        Count | None, Option("stop after this many epochs without a better validation loss", "never")
    ] = None
    threads: Annotated[
        Count | None,
        Option(
            "CPU threads; the count changes rounding, fix it to reproduce a run",
            "1 for a small network, else chosen by torch",
        ),
    ] = None
    devices: Annotated[Count, Option("devices per node: GPUs, or processes without a GPU; each takes batches")] = 1
    nodes: Annotated[
        Count,
        Option("machines that train together; each needs NODE_RANK, MASTER_ADDR and MASTER_PORT"),
    ] = 1
    strategy: Annotated[
        Literal["auto", "ddp"],
        Option("how several devices train together; ddp: a copy on each, averaged gradients"),
    ] = "auto"
    seed: Annotated[Annotated[int, Field(ge=0, lt=2**31)], Option("random seed")] = 0


class QuantizationRecipe(Section):
    """`[quantization]`: further epochs that simulate the arithmetic of an int8 file; none without this table."""

    precision: Annotated[
        Literal["int8", "int8w"],
        Option("file to fine-tune for; without it an imported run is trained in float32", flag="--quantize"),
    ] = "int8"
    per_channel: Annotated[
        bool,
        Option("one scale per gate row and output, or one per tensor", flag="--per-channel/--per-tensor"),
    ] = True
    clip: Annotated[Literal["none", "percentile", "mse"], Option("clipping of the int8 weights")] = "none"
    head: Annotated[Literal["int8", "fp32"], Option("precision of the layers after the LSTM")] = "int8"
    epochs: Annotated[Count, Option("further passes over the training windows; more in float32")] = 8
    learning_rate_factor: Annotated[
        Annotated[float, Field(gt=0)],
        Option("factor on the learning rate of the training, with a cosine schedule to 0"),
    ] = 0.2
    start: Annotated[
        str | None,
        Option("run to take the initial weights from", "trained first", instead="as the run to fine-tune"),
    ] = None

    def training_of(self, training: TrainingRecipe) -> TrainingRecipe:
        """Give the settings of the further epochs: a lower learning rate, and no early stopping."""
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
    """Find the description of a key of a recipe.

    Example:
        >>> option_of(TrainingRecipe.model_fields["patience"]).about
        'stop after this many epochs without a better validation loss'
    """
    return next(one for one in field.metadata if isinstance(one, Option))


def nearest(key: str, known: list[str]) -> str:
    """Suggest the known key closest to a misspelt one.

    Example:
        >>> nearest("hiden_size", ["hidden_size", "epochs"])
        "did you mean 'hidden_size'?"
    """
    matches = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {matches[0]!r}?" if matches else f"known: {', '.join(known) or 'none'}"
