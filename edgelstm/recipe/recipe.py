"""A complete recipe: all settings of a training, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from edgelstm.contract import TASKS, Task, Traits, traits_of
from edgelstm.errors import either
from edgelstm.options import Option
from edgelstm.recipe.sections import (
    DataRecipe,
    NetworkRecipe,
    QuantizationRecipe,
    Section,
    SplitRecipe,
    TrainingRecipe,
    WindowRecipe,
)

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
CHUNK_STEPS = 64  # default steps of a chunk of a series
MISSING_TARGETS = "data.targets is missing: give it with --target"


class Recipe(Section):
    """A complete recipe."""

    name: Annotated[
        str,
        Field(pattern=NAME),
        Option("name of the run and its files", "name of the data"),
    ] = "lstm"
    task: Annotated[Task, Option("task of the network")] = "forecast"
    data: DataRecipe
    split: SplitRecipe = SplitRecipe()
    window: WindowRecipe = WindowRecipe()
    network: NetworkRecipe = NetworkRecipe()
    training: TrainingRecipe = TrainingRecipe()
    quantization: QuantizationRecipe | None = None

    @property
    def traits(self) -> Traits:
        """The traits of its task."""
        return traits_of(self.task)

    @model_validator(mode="before")
    @classmethod
    def _steps_carry_their_state(cls, content: Any) -> Any:
        """Default to a carried state and chunks for an answer at every step, which a device gives sample by sample."""
        task = content.get("task") if isinstance(content, Mapping) else None
        if task not in TASKS or not traits_of(task).every_step:
            return content
        state = traits_of(task).states[0]
        usual: dict[str, dict[str, Any]] = {"network": {"state": state}, "window": {"steps": CHUNK_STEPS}}
        sections = {name: content.get(name, {}) for name in usual}
        filled = {name: {**usual[name], **given} for name, given in sections.items() if isinstance(given, Mapping)}
        return {**content, **filled}

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        for rule in (_split_fits, _task_fits, _state_fits, _window_fits, _channels_fit, _loss_fits):
            complaint = rule(self)
            if complaint:
                raise ValueError(complaint)
        return self


def _split_fits(recipe: Recipe) -> str:
    split = recipe.split
    if not recipe.traits.has_horizon or not (split.validation_path or split.test_path):
        return ""
    if split.test and not split.test_path:  # a fraction at the end would have to come before the validation
        return (
            "split.test_path: with a separate validation file the test part needs a file too: give it with "
            "--test-file, or set split.test to 0"
        )
    if sum(split.fractions) < 1 - 1e-9:
        return (
            f"split: expected fractions of the first file that sum to 1, got {sum(split.fractions):g}: remove "
            "split.training, which is the rest"
        )
    return ""


def _task_fits(recipe: Recipe) -> str:
    data, network, window = recipe.data, recipe.network, recipe.window
    with_horizon = {
        "window.horizon": window.horizon != 1,
        "window.stride": window.stride != 1,
        "window.quantiles": bool(window.quantiles),
        "data.ahead": bool(data.ahead),
        "data.season": data.season is not None,
        "split.overlap": bool(recipe.split.overlap),
        "network.shared": network.shared,
        f"network.start {network.start}": network.start not in ("auto", "none"),
        "training.epoch_windows": recipe.training.epoch_windows is not None,
        f"network.scaling {network.scaling}": network.scaling in ("relative", "instance"),
    }
    every_step = {"data.classes": data.classes, "data.cap": data.cap is not None}
    whole_series = {"data.labels": data.labels is not None}
    for trait, keys in (("has_horizon", with_horizon), ("every_step", every_step), ("whole_series", whole_series)):
        tasks = [task for task in TASKS if getattr(traits_of(task), trait)]
        for key, asked in keys.items():
            if asked and recipe.task not in tasks:
                return f"{key} is for the task {either(tasks)}, this is {recipe.task}: remove it"
    if recipe.traits.has_horizon and recipe.split.groups is not None:
        return "split.groups is not for forecasts, whose series are split in time: remove it"
    return ""


def _state_fits(recipe: Recipe) -> str:
    states = recipe.traits.states
    if recipe.network.state not in states:
        expected = either(map(repr, states))
        return f"network.state: expected {expected} for the task {recipe.task}, got {recipe.network.state!r}"
    return ""


def _window_fits(recipe: Recipe) -> str:
    window, segment = recipe.window, recipe.network.segment or 1
    if recipe.traits.every_step and window.steps is None:
        return "window.steps is missing: give it with --window"
    if segment > 1 and recipe.traits.takes_lengths:
        return "network.segment needs windows of one length: remove it for this task"
    if window.steps is not None and segment > 1 and window.steps % segment:
        return f"network.segment: expected a divisor of the window of {window.steps} steps, got {segment}"
    return ""


def _channels_fit(recipe: Recipe) -> str:
    data, network = recipe.data, recipe.network
    if recipe.traits.has_horizon and not data.targets:
        return MISSING_TARGETS
    if network.shared and (data.inputs != data.targets or data.calendar):
        return "network.shared forecasts each channel from itself: give targets alone, without features or calendar"
    if network.shared and network.state == "carried":
        return "network.shared needs state window: a carried file has one state, not one per channel"
    if data.cap is not None and data.classes:
        return "data.cap is for numbers, not classes: remove it"
    return ""


def _loss_fits(recipe: Recipe) -> str:
    training, kind = recipe.training, "numbers"
    if recipe.traits.always_classes or recipe.data.classes:
        kind = "classes"
    elif recipe.window.quantiles:
        kind = "quantiles"
    losses = {"numbers": ("mse", "mae", "huber"), "quantiles": ("pinball",), "classes": ("cross-entropy",)}[kind]
    if training.loss is not None and training.loss not in losses:
        return f"training.loss: expected {', '.join(losses)} for {kind}, got {training.loss!r}"
    of_classes = {"class_weights": training.class_weights != "none", "label_smoothing": bool(training.label_smoothing)}
    for key, asked in of_classes.items():
        if asked and kind != "classes":
            return f"training.{key} is for classes: remove it"
    return ""
