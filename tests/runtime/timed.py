"""A file that takes times, made by hand: y adds up the samples, each times the seconds of its minute.

Small whole numbers keep it exact in float32, so that answers can be held against numpy's to the last bit.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgelstm.contract import FORMAT_VERSION, Channel, Contract, Provenance, Quantization, StateTensor
from edgelstm.export.pack import pack
from edgelstm.runtime import Golden, Predictor, parse_model_file

WINDOW = 4
NOON = 1_700_049_600  # 2023-11-15, 12:00 UTC
MINUTE = 60


def total(x, times, lengths=None):
    """What a window file answers, by numpy: float32 [B, 1, 1]."""
    seconds = np.asarray(times, np.int64) % MINUTE
    weighted = np.asarray(x, np.float64).sum(axis=-1) * seconds
    if lengths is not None:
        weighted[np.arange(weighted.shape[1]) >= np.asarray(lengths)[:, np.newaxis]] = 0
    return weighted.sum(axis=1).astype(np.float32).reshape(-1, 1, 1)


def running(x, times):
    """What a carried file answers to [B, T, F] from a zero state: float32 [B, T, 1, 1]."""
    weighted = np.asarray(x, np.float64).sum(axis=-1) * (np.asarray(times, np.int64) % MINUTE)
    return weighted.cumsum(axis=1).astype(np.float32)[..., np.newaxis, np.newaxis]


def make_timed(state="window", lengths=False, precision="fp32", inputs=("a", "b"), period_s=10.0):
    """A model file of this kind, read and checked."""
    contract = make_contract(state, lengths, precision, inputs, period_s)
    rng = np.random.default_rng(0)
    x = rng.integers(-8, 8, (2, WINDOW, len(inputs))).astype(np.float32)
    times = NOON + np.arange(2)[:, np.newaxis] * 7 + np.arange(WINDOW) * int(period_s)
    valid = np.array([WINDOW, WINDOW - 1], np.int64) if lengths else None
    y = running(x, times) if state == "carried" else total(x, times, valid)
    golden = Golden(x, y, y, {"pypi": (0.0,), "other": (0.0,)}, valid, times)
    return parse_model_file(pack(make_graph(contract), contract, golden)[0])


def load_timed(*arguments, **options):
    """The same, loaded."""
    return Predictor(make_timed(*arguments, **options))


def make_contract(state, lengths, precision, inputs, period_s):
    """What such a file says about itself."""
    carried = state == "carried"
    return Contract(
        format_version=FORMAT_VERSION,
        name="timed",
        task="forecast",
        precision=precision,
        inputs=tuple(Channel(name, None, "float32", None) for name in inputs),
        outputs=(Channel("total", None, "float32", None),),
        window=WINDOW,
        horizon=1,
        lengths=lengths,
        state=state,
        trained_state=state,
        states=(StateTensor("h0", "h0_out", (1, "B", 1), "float32"),) if carried else (),
        scaling="none",
        sample_period_s=period_s,
        quantization=Quantization() if precision == "int8" else None,
        fidelity=None,
        metrics=(),
        provenance=Provenance({}, None, "0" * 64, 0),
        times=True,
    )


def make_graph(contract):
    """x and time_s to y, with one state for a carried file."""
    carried = contract.state == "carried"
    constants = {"minute": np.array(MINUTE), "zero": np.array(0), "one": np.array(1), "ones": np.array([1])}
    constants |= {"last": np.array([-1]), "last_two": np.array([-1, -2]), "back": np.array([0, -1, 1, 1])}
    nodes = [
        node("Mod", ["time_s", "minute"], "second"),
        helper.make_node("Cast", ["second"], ["phase"], to=TensorProto.FLOAT),
        node("ReduceSum", ["x", "last"], "summed", keepdims=0),
        node("Mul", ["summed", "phase"], "every"),
    ]
    if contract.lengths:
        nodes += [
            node("Shape", ["time_s"], "steps", start=1, end=2),
            node("Squeeze", ["steps", "zero_axis"], "count"),
            node("Range", ["zero", "count", "one"], "step"),
            node("Unsqueeze", ["lengths", "ones"], "limit"),
            node("Less", ["step", "limit"], "valid"),
            helper.make_node("Cast", ["valid"], ["share"], to=TensorProto.FLOAT),
            node("Mul", ["every", "share"], "counted"),
        ]
        constants["zero_axis"] = np.array([0])
    if carried:
        constants["first"] = np.array([0])
        nodes += [
            node("CumSum", ["every", "one"], "sums"),
            node("Squeeze", ["h0", "first"], "before"),
            node("Add", ["sums", "before"], "after"),
            node("Unsqueeze", ["after", "last_two"], "y"),
            node("Slice", ["after", "last", "end", "ones"], "newest"),
            node("Unsqueeze", ["newest", "first"], "h0_out"),
        ]
        constants["end"] = np.array([2**31 - 1])
    else:
        nodes += [node("ReduceSum", ["counted" if contract.lengths else "every", "ones"], "sum", keepdims=0)]
        nodes += [node("Unsqueeze", ["sum", "last_two"], "y")]
    values = [value("x", TensorProto.FLOAT, ["B", "T", len(contract.inputs)]), value("time_s", INT64, ["B", "T"])]
    values += [value("lengths", INT64, ["B"])] if contract.lengths else []
    values += [value("h0", TensorProto.FLOAT, [1, "B", 1])] if carried else []
    outputs = [value("y", TensorProto.FLOAT, ["B", *(["T"] if carried else []), 1, 1])]
    outputs += [value("h0_out", TensorProto.FLOAT, [1, "B", 1])] if carried else []
    used = {name for n in nodes for name in n.input}
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items() if name in used]
    graph = helper.make_graph(nodes, "timed", values, outputs, tensors)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


INT64 = TensorProto.INT64
value = helper.make_tensor_value_info


def node(operator, inputs, output, **attributes):
    return helper.make_node(operator, inputs, [output], **attributes)


def session_of(contract):
    """The plain bytes of the graph, for any ONNX client."""
    onnx.checker.check_model(make_graph(contract))
    return make_graph(contract).SerializeToString()
