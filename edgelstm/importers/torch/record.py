"""Record a run of a torch module: the layers and functions that its forward calls, their inputs and their order.

Nothing is guessed from the module's attributes: a forward may skip a layer, call it twice, or compute something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from edgelstm.arrays import Array
from edgelstm.importers.torch.call import Lengths, Subject, quiet

# Functions that move numbers and change none of them.
_MOVES = frozenset(
    """
    __getitem__ _pack_padded_sequence _pad_packed_sequence alpha_dropout cat chunk clone concat concatenate contiguous
    cpu detach dropout dropout1d expand expand_as feature_alpha_dropout flatten float gather hstack index_select movedim
    moveaxis narrow permute reshape reshape_as select split squeeze stack swapaxes swapdims t tensor_split to transpose
    type type_as unbind unflatten unsqueeze view view_as vstack
    """.split()  # noqa: SIM905  (a list of words reads better)
)
# Functions that read the shape or type of a tensor, not its numbers, or make zeros.
_LOOKS = frozenset(
    """
    __get__ __len__ dim get_device is_complex is_contiguous is_floating_point ndimension nelement new_zeros numel
    requires_grad_ size stride zeros_like
    """.split()  # noqa: SIM905
)
# Functions that return a value to Python: what Python does with it is missing from a graph.
_DECISIONS = frozenset(
    "__bool__ __float__ __index__ __int__ allclose equal is_nonzero item numpy tolist".split()  # noqa: SIM905
)
# Functions of `edgelstm.network`, with the arguments and values they may have after their input, in order.
_FUNCTIONS: dict[str, dict[str, Any]] = {
    "relu": {"inplace": ...},
    "gelu": {"approximate": ...},
    "tanh": {},
    "sigmoid": {},
    "hardsigmoid": {"inplace": ...},
    "softmax": {"dim": ..., "dtype": None, "_stacklevel": ...},
    "elu": {"alpha": 1.0, "inplace": ...},
    "selu": {"inplace": ...},
    "leaky_relu": {"negative_slope": 0.01, "inplace": ...},
    "softplus": {"beta": 1, "threshold": 20},
    "softsign": {},
}
# Layers that edgelstm supports.
Known = nn.LSTM | nn.Linear | nn.Embedding


class Event(NamedTuple):
    """A layer or function that computed something.

    Attributes:
        what: an LSTM, linear layer or embedding; or the name of a function of `edgelstm.network`.
        name: of the layer in the module; for a function, where it was called.
        x, y: its input and output; for an LSTM the sequences, batch first.
        states: for an LSTM, h_n and c_n, [L * D, B, ...].
        started: an LSTM did not start from zeros.
    """

    what: Known | str
    name: str
    x: Tensor
    y: Tensor
    states: tuple[Tensor, ...] = ()
    started: bool = False


@dataclass
class Record:
    """What one run of a forward did.

    Attributes:
        events: computations, in their order.
        foreign: the first computation that is not a layer or function of edgelstm, in words; empty if there is none.
        decision: where Python read the numbers, in words; empty if nowhere.
        calls: the number of calls of each layer, by its name and type.
        states: the final states of recurrent layers, h_n and c_n.
        beside: the number of tensors that the module returns after its answer and that are not such states.
    """

    events: list[Event] = field(default_factory=list)
    foreign: str = ""
    decision: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    states: list[Tensor] = field(default_factory=list)
    beside: int = 0


def record(subject: Subject, x: Array, lengths: Lengths | None) -> tuple[Record, Tensor]:
    """Run a module once and record it; give the record and the raw answer."""
    watch = _Watch(subject)
    tensors = subject.tensors(x, lengths)
    with quiet(), torch.no_grad(), watch.running():
        answer = subject.module(*tensors)
    found = watch.record
    if isinstance(answer, (tuple, list)):
        found.beside = sum(not any(_same(rest, state) for state in found.states) for rest in _tensors(answer[1:]))
        answer = answer[0]
    return found, answer


class _Watch:
    """Hooks on every layer, and a mode that sees every torch function called between them."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.record = Record()
        self.places: list[str] = []
        self.inside = 0  # depth of calls inside a known layer
        self.before: Any = None  # the input of that layer: a tensor or a PackedSequence

    @contextmanager
    def running(self) -> Iterator[None]:
        """Record what runs inside; the hooks are removed afterwards."""
        watch = self

        class Mode(torch.overrides.TorchFunctionMode):
            def __torch_function__(
                self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
            ) -> Any:
                return watch.called(function, args, kwargs or {})

        handles = []
        for name, part in self.subject.module.named_modules():
            known = type_before_parametrizations(part) in (nn.LSTM, nn.Linear, nn.Embedding)
            handles.append(part.register_forward_pre_hook(self._entering(name, known), with_kwargs=True))
            handles.append(part.register_forward_hook(self._leaving(name, known), with_kwargs=True))
        try:
            with Mode():
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _entering(self, name: str, known: bool) -> Callable[..., None]:
        def enter(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            with torch._C.DisableTorchFunction():
                place = f"{name!r} ({type(part).__name__})" if name else type(part).__name__
                self.places.append(place)
                self.record.calls[place] += not self.inside
                if known and not self.inside:
                    self.before = self._clone(args[0] if args else kwargs.get("input"))
                self.inside += known

        return enter

    def _leaving(self, name: str, known: bool) -> Callable[..., None]:
        def leave(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
            with torch._C.DisableTorchFunction():
                self.places.pop()
                self.inside -= known
                if isinstance(part, nn.RNNBase):
                    self.record.states += [state.clone() for state in _tensors(answer[1])]
                if known and not self.inside:
                    hx = args[1] if len(args) > 1 else kwargs.get("hx")
                    self.record.events.append(self._layer(name, part, answer, hx))

        return leave

    def _layer(self, name: str, part: Known, answer: Any, hx: Any) -> Event:
        if not isinstance(part, nn.LSTM):
            return Event(part, name, self.before, self._clone(answer))
        y, states = answer
        x, y = (self._sequence(part, value) for value in (self.before, y))
        started = any(bool(state.any()) for state in _tensors(hx))
        return Event(part, name, x, y, tuple(state.clone() for state in states), started)

    def _sequence(self, part: nn.LSTM, value: Tensor | PackedSequence) -> Tensor:
        """Give a sequence batch first and unpacked."""
        if isinstance(value, PackedSequence):
            value, _ = pad_packed_sequence(value, batch_first=part.batch_first)
        return value if part.batch_first or value.ndim < 3 else value.transpose(0, 1)

    def _clone(self, value: Any) -> Any:
        return value.clone() if isinstance(value, Tensor) else value

    def called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function that the forward calls, and record it if it computes something."""
        given = [] if self.inside else list(_tensors((args, kwargs)))
        if not given:
            return function(*args, **kwargs)
        name = getattr(function, "__name__", str(function))
        plain = name.rstrip("_") if not name.startswith("__") else name
        if name in _LOOKS or name in _MOVES or self._counts(given):
            return function(*args, **kwargs)
        place = f"{name} in {self.places[-1]}" if self.places else name
        if name in _DECISIONS:
            self.record.decision = self.record.decision or place
            self.record.foreign = self.record.foreign or place
            return function(*args, **kwargs)
        known = _function(plain, given[0], args[1:], kwargs) if plain in _FUNCTIONS else ""
        before = given[0].clone()
        answer = function(*args, **kwargs)
        if known:
            self.record.events.append(Event(known, place, before, answer.clone()))
        else:
            self.record.foreign = self.record.foreign or place
        return answer

    def _counts(self, tensors: list[Tensor]) -> bool:
        """Whether all are integers, which are lengths and indices; not if x is tokens, whose computations matter."""
        integers = (torch.int64, torch.int32)
        return not self.subject.categories and all(tensor.dtype in integers for tensor in tensors)


def _function(name: str, x: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Name a function as `edgelstm.network` does; empty if its arguments make it another function."""
    known = _FUNCTIONS[name]
    told = {**dict(zip(known, args, strict=False)), **{key: value for key, value in kwargs.items() if key != "input"}}
    if len(args) > len(known) or any(known.get(key, ...) is not ... and known[key] != v for key, v in told.items()):
        return ""
    if told.keys() - known.keys() or told.get("dtype") is not None:
        return ""
    if name == "softmax" and told.get("dim") not in (-1, x.ndim - 1):
        return ""
    if name == "gelu":
        return {"none": "gelu", "tanh": "gelu_tanh"}.get(told.get("approximate", "none"), "")
    return {"hardsigmoid": "hard_sigmoid"}.get(name, name)


def _tensors(value: Any) -> Iterator[Tensor]:
    """List all tensors in tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (tuple, list)) or hasattr(value, "_fields"):
        for part in value:
            yield from _tensors(part)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(torch.equal(a, b))
