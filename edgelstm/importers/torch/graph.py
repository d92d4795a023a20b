"""Import a torch module that is not a list of known layers, through `torch.onnx.export`."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from edgelstm.arrays import Array
from edgelstm.contract import StateTensor
from edgelstm.errors import NetworkError, counted, one_line
from edgelstm.importers.torch.call import Lengths, Subject, differ, first_tensor, quiet
from edgelstm.importers.torch.foreign import (
    OPSET,
    Shape,
    across_steps,
    clean_graph,
    open_graph,
    operators,
    place,
    surface_states,
)
from edgelstm.importers.torch.record import Record

_TOLERANCE = 1e-5
Run = Callable[[dict[str, Array]], dict[str, Array]]


class ForeignGraph(NamedTuple):
    """The graph of a foreign module.

    Attributes:
        model: in the form of FORMAT.md.
        states: of a carried one.
        before, after: the number of nodes by operator, as exported and after cleaning.
    """

    model: onnx.ModelProto
    states: tuple[StateTensor, ...]
    before: dict[str, int]
    after: dict[str, int]


def export_graph(
    subject: Subject,
    shape: Shape,
    carried: bool,
    tries: list[tuple[Array, Lengths | None]],
    found: Record,
) -> ForeignGraph:
    """Trace a module to ONNX, clean the graph and compare it with the module.

    Args:
        subject: the module.
        shape: the inputs and outputs that the graph should have.
        carried: its LSTMs take their states as inputs and return them.
        tries: windows of several batch sizes and lengths.
        found: the record of a run of the module, to name layers in messages.

    Raises:
        NetworkError: the module cannot be exported; says why, with the name of the layer.
    """
    if found.decision:
        raise NetworkError(
            f"{found.decision}: its forward branches on the values of its input, which a graph cannot do"
        )
    content = _trace(subject, tries[0])
    raw = onnx.load_from_string(content)
    model = _clean(content, shape)
    run = open_graph(model)
    for x, lengths in tries:
        _compare(run, subject, shape, x, lengths, found)
    states: tuple[StateTensor, ...] = ()
    if carried:
        states = surface_states(model)
        for x, _ in (tries[0], tries[-1]):
            _check_carried(run, model, states, x)
    return ForeignGraph(model, states, operators(raw), operators(model))


def _clean(content: bytes, shape: Shape) -> onnx.ModelProto:
    try:
        return clean_graph(content, shape)
    except NetworkError:
        raise
    except Exception as error:  # of onnxruntime and onnx
        raise NetworkError(f"torch.onnx.export wrote a graph that does not load: {one_line(error)}") from error


def _trace(subject: Subject, sample: tuple[Array, Lengths | None]) -> bytes:
    """Export with TorchScript's tracer, which needs no other package."""

    class Call(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = subject.module

        def forward(self, x: Tensor, *lengths: Tensor) -> Tensor:
            x = x.transpose(0, 1) if subject.time_first else x
            return subject.batch_first(first_tensor(self.module(x, *lengths)))

    arguments = [torch.from_numpy(np.ascontiguousarray(part)) for part in sample if part is not None]
    names = ["x", "lengths"][: len(arguments)]
    content = io.BytesIO()
    with quiet(), torch.no_grad(), _plain_attention(), _silenced():
        try:
            torch.onnx.export(
                Call().eval(),
                tuple(arguments),
                content,  # type: ignore[arg-type]  # the tracer takes a stream
                dynamo=False,
                opset_version=OPSET,
                input_names=names,
                output_names=["raw"],
                dynamic_axes={"x": {0: "B", 1: "T"}, "lengths": {0: "B"}, "raw": {0: "B", 1: "T"}},
            )
        except Exception as error:  # of torch, or anything that the user's code raises
            raise NetworkError(f"torch.onnx.export cannot export this module: {one_line(error)}") from error
    return content.getvalue()


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Hide what torch's C++ code prints: the whole graph, if an operator has no ONNX form."""
    kept = []
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the stream may be missing
            stream.flush()
            kept.append((number, os.dup(number)))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number, _ in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Let `nn.MultiheadAttention` be traced with any number of steps.

    In evaluation mode it would call a fused kernel that has no ONNX form. It also projects query, key and value in one
    product, in whose parts the exporter of torch 2.13 fixes the number of steps. Three separate products are the same.
    """
    functional: Any = nn.functional  # one of its private names is replaced
    mha = torch.backends.mha
    before, packed = mha.get_fastpath_enabled(), getattr(functional, "_in_projection_packed", None)

    def apart(q: Tensor, k: Tensor, v: Tensor, w: Tensor, b: Tensor | None = None) -> tuple[Tensor, ...]:
        biases = (None,) * 3 if b is None else b.chunk(3)
        return tuple(functional.linear(*parts) for parts in zip((q, k, v), w.chunk(3), biases, strict=True))

    mha.set_fastpath_enabled(False)
    if packed is not None:
        functional._in_projection_packed = apart
    try:
        yield
    finally:
        mha.set_fastpath_enabled(before)
        if packed is not None:
            functional._in_projection_packed = packed


def _compare(run: Run, subject: Subject, shape: Shape, x: Array, lengths: Lengths | None, found: Record) -> None:
    """Compare one run of the graph with the module; sizes that are fixed in the graph show at other sizes."""
    size = f"{counted(len(x), 'row')} of {counted(x.shape[1], 'step')}"
    expected = subject.answer(x, lengths)
    feeds: dict[str, Array] = {"x": np.ascontiguousarray(x)} | ({} if lengths is None else {"lengths": lengths})
    loop = next((name for name, calls in found.calls.items() if calls > 1), "")
    why = (
        f"{loop} is called in a Python loop, which a trace unrolls; use torch.nn.LSTM"
        if loop
        else "the trace has a fixed size"
    )
    try:
        y = run(feeds)["y"]
    except Exception as error:  # of onnxruntime
        raise NetworkError(f"the traced graph fails on {size}{_failing(error)}: {why}") from error
    shaped = y.reshape(*y.shape[: 1 + shape.every_step], *subject.answer_sizes)
    if lengths is not None and shape.every_step and shaped.shape == expected.shape:
        shaped[np.isnan(expected)] = np.nan
    difference = differ(shaped, expected)
    if not difference <= _TOLERANCE:
        raise NetworkError(
            f"the traced graph differs from the module on {size}, by {difference:.3g} of the largest answer: {why}"
        )


def _failing(error: Exception) -> str:
    """Name the layer of the node in onnxruntime's message."""
    node = re.search(r"running (\w+) node. Name:'([^']+)'", str(error))
    return f" in {place(onnx.NodeProto(op_type=node[1], name=node[2]))}" if node else f" ({one_line(error)})"


def _check_carried(whole: Run, model: onnx.ModelProto, states: tuple[StateTensor, ...], x: Array) -> None:
    """See that single steps, and two parts, answer like the whole window: then all memory is in the carried state."""
    expected = whole({"x": np.ascontiguousarray(x)})["y"]
    run = open_graph(model)
    middle = x.shape[1] // 2 or 1
    for cuts in ([*range(1, x.shape[1])], [middle]):
        values = {s.input: np.zeros([len(x) if n == "B" else int(n) for n in s.shape], np.float32) for s in states}
        parts = []
        for part in np.split(x, cuts, axis=1):
            if part.shape[1] == 0:
                continue
            try:
                out = run({"x": np.ascontiguousarray(part), **values})
            except Exception as error:  # of onnxruntime: a convolution without padding has no output for one step
                raise NetworkError(
                    f"state: {_culprit(model)}, so the state cannot be carried ({one_line(error)})"
                ) from error
            parts.append(out["y"])
            values = {s.input: out[s.output] for s in states}
        if differ(np.concatenate(parts, axis=1), expected) > _TOLERANCE:
            raise NetworkError(f"state: {_culprit(model)}, so the state cannot be carried; import it with state window")


def _culprit(model: onnx.ModelProto) -> str:
    found = across_steps(model)
    return f"{' or '.join(found) or 'something other than its LSTMs'} uses other steps"
