"""A private copy of a user's torch module, and how to call it."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgelstm.arrays import Array
from edgelstm.errors import InputError, NetworkError, counted, one_line

Lengths = NDArray[np.int64]
Form = TypeVar("Form", Tensor, Array)


class BatchShape(NamedTuple):
    """The rows and steps of the windows that a module is tried with."""

    batch: int
    steps: int


@dataclass(frozen=True)
class Subject:
    """A private copy of a module and the way to call it.

    Attributes:
        module: float32, on the CPU, in evaluation mode, without gradients.
        features: F; 0 for tokens.
        categories: the number of tokens; 0 for measurements.
        lengths: it takes `lengths` int64 [B] after x.
        time_first: its inputs and answers are [T, B, ...], as for `nn.LSTM` without `batch_first`.
        every_step: it answers at every step.
        answer_sizes: of its answer, after B and T.
    """

    module: nn.Module
    features: int
    categories: int
    lengths: bool
    time_first: bool = False
    every_step: bool = False
    answer_sizes: tuple[int, ...] = ()

    def draw(self, shape: BatchShape, rng: np.random.Generator) -> tuple[Array, Lengths | None]:
        """Draw windows and, if it takes them, lengths: the first row is complete, the others have any length."""
        if self.categories:
            x: Array = rng.integers(0, self.categories, shape)
        else:
            x = rng.standard_normal((*shape, self.features), dtype=np.float32)
        if not self.lengths:
            return x, None
        lengths = rng.integers(1, shape.steps + 1, shape.batch)
        lengths[0] = shape.steps
        return x, lengths

    def tensors(self, x: Array, lengths: Lengths | None) -> tuple[Tensor, ...]:
        """Arrange the arguments as the module takes them."""
        given = torch.from_numpy(np.ascontiguousarray(x))
        given = given.transpose(0, 1).contiguous() if self.time_first else given
        return (given,) if lengths is None else (given, torch.from_numpy(lengths))

    def call(self, x: Array, lengths: Lengths | None = None) -> Array:
        """Run the module and give its raw answer.

        Raises:
            NetworkError: it fails, or its answer is not a tensor of numbers.
        """
        with quiet(), torch.no_grad():
            try:
                answer = self.module(*self.tensors(x, lengths))
            except Exception as error:  # the user's code may raise anything
                taken = "tokens [B, T]" if self.categories else f"x [B, T, {self.features}]"
                also = " and lengths [B]" if self.lengths else ""
                raise NetworkError(
                    f"the module fails on {taken}{also}, {counted(len(x), 'row')} of {counted(x.shape[1], 'step')}: "
                    f"{one_line(error)}"
                ) from error
        found: Array = first_tensor(answer).numpy()
        return found

    def answer(self, x: Array, lengths: Lengths | None = None) -> Array:
        """Run the module and arrange its answer.

        Args:
            x: float32 [B, T, F], or tokens int64 [B, T].
            lengths: int64 [B].

        Returns:
            float32 [B, ...] or, at every step, [B, T, ...], NaN after the length of a row.

        Raises:
            NetworkError: it fails, or its answer has another size than before.
        """
        return self.laid(self.call(x, lengths), x, lengths)

    def batch_first(self, answer: Form) -> Form:
        """Transpose an answer of the module so that B comes first."""
        return answer.swapaxes(0, 1) if self.time_first and self.every_step and answer.ndim > 1 else answer

    def laid(self, y: Array, x: Array, lengths: Lengths | None) -> Array:
        """Arrange an answer of the module, or of its graph, as batch first, steps second."""
        batch, steps = x.shape[:2]
        if self.every_step:
            y = self.batch_first(y)
            given = y.shape[1] if y.ndim > 1 else 0
            if lengths is not None and lengths.max() <= given < steps:  # pad_packed_sequence cuts off the padding
                y = np.concatenate([y, np.zeros((batch, steps - given, *y.shape[2:]), y.dtype)], axis=1)
        expected = (batch, *((steps,) if self.every_step else ()), *self.answer_sizes)
        if y.size != math.prod(expected):
            raise NetworkError(f"expected an answer of shape {list(expected)}, got {list(y.shape)}")
        y = y.reshape(expected)
        if lengths is not None and self.every_step:
            y = y.copy()
            y[np.arange(steps) >= lengths[:, np.newaxis]] = np.nan
        return y


def prepare(module: nn.Module, features: int, lengths: bool, window: int) -> Subject:
    """Copy a module and detect how to call it, by calling it.

    Args:
        module: an `nn.Module`; not changed.
        features: F, if the caller knows it; 0: read from the first layer that says it.
        lengths: it takes lengths.
        window: the steps it was trained with.

    Raises:
        NetworkError: it cannot be copied, is already quantized, fails, or its answer to a row depends on earlier calls
            or on the other rows.
    """
    private = copy_module(module)
    errors: list[NetworkError] = []
    for size, categories in [(features, 0)] if features else _inputs(private):
        try:
            return _with_layout(Subject(private, size, categories, lengths), window)
        except NetworkError as error:
            errors.append(error)
    if not errors:
        raise InputError(
            "inputs: no layer of this module says how many channels it takes; give the names of all inputs"
        )
    raise errors[0]


def copy_module(module: nn.Module, given: bool = True) -> nn.Module:
    """Copy a module to float32 on the CPU, in evaluation mode and without gradients; parametrizations are kept.

    Args:
        module: not changed.
        given: its own weights are used, and must be finite.
    """
    while (inside := getattr(module, "_orig_mod", None)) is not None:  # torch.compile
        module = inside
    if isinstance(module, nn.DataParallel):
        module = module.module
    if not isinstance(module, nn.Module):
        raise InputError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    if isinstance(module, torch.jit.ScriptModule):
        raise NetworkError("the module is compiled to TorchScript; give the torch.nn.Module that it was made from")
    _refuse(module, given)
    with quiet():
        try:
            private = copy.deepcopy(module, _without_gradients(module))
        except Exception as error:
            raise NetworkError(f"{type(module).__name__}: cannot copy this module: {one_line(error)}") from error
        private = private.cpu().float().eval()
        for parameter in filter(lambda p: p.is_leaf, private.parameters()):
            parameter.requires_grad_(False)
    return private


def first_tensor(answer: object) -> Tensor:
    """Give the answer in what a module returns: a tensor, or the first of a tuple such as (y, (h, c))."""
    found = answer[0] if isinstance(answer, (tuple, list)) and answer else answer
    if not isinstance(found, Tensor):
        raise NetworkError(
            f"expected the module to return one tensor, got {type(answer).__name__}; wrap it in a module whose forward "
            "returns the answer alone"
        )
    if not found.is_floating_point():
        raise NetworkError(f"expected the module to return floating point numbers, got {found.dtype}")
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the warnings of a user's code and of torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refuse(module: nn.Module, given: bool) -> None:
    """Refuse a module that cannot run in float32."""
    for name, part in module.named_modules():
        kind = type(part)
        if "quantized" in kind.__module__.split("."):
            raise NetworkError(
                f"{name or 'the module'!r} ({kind.__name__}): already quantized; give the float network that it was "
                "made from, and quantize it with `edgelstm export --quantize`"
            )
        if any(nn.parameter.is_lazy(p) for p in (*part.parameters(False), *part.buffers(False))):
            raise NetworkError(f"{name!r} ({kind.__name__}): its weights have no shape yet; run the module once first")
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_meta:
            raise NetworkError(f"{name}: this tensor is on the meta device and has no numbers")
        if given and tensor.is_floating_point() and not tensor.isfinite().all():
            raise NetworkError(f"{name}: contains NaN or infinity; these weights cannot be used")


def _without_gradients(module: nn.Module) -> dict[int, Tensor]:
    """Copy tensors with a gradient history, which copy.deepcopy refuses."""
    found: dict[int, Tensor] = {}
    for part in module.modules():
        for value in vars(part).values():
            for tensor in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(tensor, Tensor) and not tensor.is_leaf:
                    found[id(tensor)] = tensor.detach().clone()
    return found


def _inputs(module: nn.Module) -> Iterator[tuple[int, int]]:
    """List what each layer could take if it were the first: channels, or the tokens of an embedding."""
    seen = set()
    for part in module.modules():
        found = (0, part.num_embeddings) if isinstance(part, nn.Embedding) else (_input_size(part), 0)
        if any(found) and found not in seen:
            seen.add(found)
            yield found


def _input_size(part: nn.Module) -> int:
    """Give the input size that a layer states; 0 if it states none."""
    for attribute in ("input_size", "in_features", "in_channels", "num_features", "embed_dim"):
        size = getattr(part, attribute, None)
        if isinstance(size, int):
            return size
    shape = getattr(part, "normalized_shape", None)
    return int(shape[-1]) if isinstance(shape, tuple) and shape else 0


def _with_layout(subject: Subject, window: int) -> Subject:
    """Detect whether B or T comes first: rows must be independent of each other, steps are not."""
    tried = []
    for time_first in (False, True):
        try:
            return _with_answer(replace(subject, time_first=time_first), window, np.random.default_rng(0))
        except NetworkError as error:
            tried.append(error)
    raise tried[0]


def _with_answer(subject: Subject, window: int, rng: np.random.Generator) -> Subject:
    """Find the shape of the answer by trying two numbers of steps, and see that each row is answered by itself."""
    batch = 4 if window == 3 else 3
    x, lengths = subject.draw(BatchShape(batch, window), rng)
    first = subject.call(x, lengths)
    try:
        second = subject.call(*subject.draw(BatchShape(batch, window + 3), rng))
    except NetworkError as error:
        raise NetworkError(f"it runs with {window} steps, but not with {window + 3}: {error}") from error
    axis = 0 if subject.time_first else 1
    every_step = min(first.ndim, second.ndim) > axis and (first.shape[axis], second.shape[axis]) == (window, window + 3)
    leading = (
        (window, batch)[: 1 + every_step] if every_step and subject.time_first else (batch, window)[: 1 + every_step]
    )
    if first.shape[: len(leading)] != leading:
        axes = ", ".join(map(str, leading))
        raise NetworkError(
            f"expected an answer of shape [{axes}, ...] to {batch} rows of {counted(window, 'step')}, got "
            f"{list(first.shape)}"
        )
    found = replace(subject, every_step=every_step, answer_sizes=first.shape[len(leading) :])
    together = found.answer(x, lengths)
    if not np.array_equal(together, found.answer(x, lengths), equal_nan=True):
        raise NetworkError(
            "the module gives different answers to the same window: it has dropout that eval() does not disable, or "
            "keeps a state between calls"
        )
    parts = [found.answer(x[i : i + 1], None if lengths is None else lengths[i : i + 1]) for i in range(batch)]
    if differ(np.concatenate(parts), together) > 1e-4:
        raise NetworkError(f"the module's answer to a row depends on the other rows of the batch{_mixed(subject)}")
    return found


def _mixed(subject: Subject) -> str:
    """Name the usual reason: a layer without batch_first."""
    parts = subject.module.named_modules()
    name = next((n for n, part in parts if isinstance(part, nn.RNNBase) and not part.batch_first), None)
    return "" if name is None else f"; {name!r} takes the steps first: is batch_first=True missing?"


def differ(a: Array, b: Array) -> float:
    """Give the largest difference, divided by the largest number of `b` if that is above 1.

    NaN marks padding, and must be at the same places in both.
    """
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    a, b = np.nan_to_num(a.astype(np.float64)), np.nan_to_num(b.astype(np.float64))
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
