"""Run one peer in its own process, in turns given by the driver; needs only numpy and the peer.

python benchmarks/peers/worker.py PEER FOLDER, with requests on stdin and answers on stdout, one JSON a line:

    {"open": [name, hidden, what, streams]}  ->  {"answer": [...]} after 64 steps, or {"failed": reason}
    {"time": calls}                          ->  {"ns": [...]}
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FEATURES, STEPS = 8, 64
WARM_UP_CALLS = 3  # at most, in each turn: the previous peer has filled the caches

Array = Any  # float32 arrays of this environment's own numpy
Call = Callable[[Array], Array]


class Case(NamedTuple):
    """See `benchmarks.peers.models`."""

    name: str
    hidden: int
    what: str
    streams: int


def open_edgelstm(folder: Path, case: Case, precision: str) -> Call:
    import edgelstm

    state = "carried" if case.what == "step" else "window"
    predictor = edgelstm.load(folder / f"{state}.{precision}.onnx", threads=1)
    if case.what == "window":
        return predictor.predict
    if case.streams == 1:
        return partial(predictor.stream().step, copy=False)
    return predictor.streams(case.streams).step


def one_thread(path: Path) -> Any:
    """Open a plain session, with the one option that all peers get."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def open_plain(folder: Path, case: Case) -> Call:
    session = one_thread(folder / f"{case.name}.onnx")
    if case.what == "window":
        return lambda x: session.run(None, {"x": x})[0]
    state = [np.zeros((1, case.streams, case.hidden), np.float32)] * 2

    def step(x: Array) -> Array:
        nonlocal state
        y, *state = session.run(None, {"x": x, "h": state[0], "c": state[1]})
        return y

    return step


def open_darts(folder: Path, case: Case) -> Call:
    """The file that darts' RNNModel writes, with plain `session.run`; it answers at every step."""
    if case.what == "step":
        raise NotImplementedError("its file takes no state and cannot be stepped")
    if case.streams > 1:
        raise NotImplementedError("its file takes one row")
    session = one_thread(folder / "darts.onnx")
    return lambda x: session.run(None, {"x_past": x})[0][:, -1]


def open_torch(folder: Path, case: Case, compiled: bool) -> Call:
    import torch

    torch.set_num_threads(1)
    weights = {name: torch.from_numpy(value) for name, value in np.load(folder / "weights.npz").items()}

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(FEATURES, case.hidden, batch_first=True)
            self.head = torch.nn.Linear(case.hidden, 1)

        def forward(self, x: Any, state: Any) -> Any:
            y, state = self.lstm(x, state)
            return self.head(y[:, -1]), state

    network = Network().eval()
    network.load_state_dict(weights)
    call = torch.compile(network) if compiled else network
    zero = torch.zeros(1, case.streams, case.hidden)
    state = (zero, zero)

    def step(x: Array) -> Array:
        nonlocal state
        with torch.inference_mode():
            y, state = call(torch.from_numpy(x), state)
        return y.numpy()

    def window(x: Array) -> Array:
        with torch.inference_mode():
            return call(torch.from_numpy(x), (zero, zero))[0].numpy()

    return step if case.what == "step" else window


def open_litert(folder: Path, case: Case, precision: str) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    path = folder / f"{case.name}.{precision}.tflite"
    if precision == "int8" and path.stat().st_size > 0.95 * (folder / f"{case.name}.fp32.tflite").stat().st_size:
        raise NotImplementedError("its converter quantizes nothing of this size")
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def step(x: Array) -> Array:
        interpreter.set_tensor(given, x)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    def window(x: Array) -> Array:
        interpreter.reset_all_variables()
        return step(x)

    return step if case.what == "step" else window


def open_openvino(folder: Path, case: Case) -> Call:
    """Use tensors that stay bound: `request.infer({...})` takes 80 us for a step, of which the network needs 15."""
    import openvino

    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    options["INFERENCE_PRECISION_HINT"] = "f32"  # on other machines it may choose bfloat16
    compiled = openvino.Core().compile_model(folder / f"{case.name}.onnx", "CPU", options)
    request = compiled.create_infer_request()
    inputs = {tensor.any_name: request.get_tensor(tensor).data for tensor in compiled.inputs}
    outputs = {tensor.any_name: request.get_tensor(tensor).data for tensor in compiled.outputs}
    for data in inputs.values():
        data[:] = 0
    given, answer = inputs["x"], outputs["y"]

    def window(x: Array) -> Array:
        given[:] = x
        request.infer()
        return answer

    if case.what == "window":
        return window
    h, c, h_out, c_out = inputs["h"], inputs["c"], outputs["h_out"], outputs["c_out"]

    def step(x: Array) -> Array:
        given[:] = x
        request.infer()
        h[:], c[:] = h_out, c_out
        return answer

    return step


PEERS: dict[str, Callable[[Path, Case], Call]] = {
    "edgelstm fp32": lambda folder, case: open_edgelstm(folder, case, "fp32"),
    "edgelstm int8": lambda folder, case: open_edgelstm(folder, case, "int8"),
    "edgelstm int8w": lambda folder, case: open_edgelstm(folder, case, "int8w"),
    "plain export": open_plain,
    "darts ONNX": open_darts,
    "torch eager": lambda folder, case: open_torch(folder, case, compiled=False),
    "torch.compile": lambda folder, case: open_torch(folder, case, compiled=True),
    "LiteRT fp32": lambda folder, case: open_litert(folder, case, "fp32"),
    "LiteRT int8": lambda folder, case: open_litert(folder, case, "int8"),
    "OpenVINO": open_openvino,
}


def samples(peer: str, case: Case) -> list[Array]:
    """Draw the same numbers for every peer, in its shape: 64 samples of each stream, or a few windows."""
    rng = np.random.default_rng(case.hidden)
    x = rng.normal(size=(case.streams, STEPS, FEATURES)).astype(np.float32)
    if case.what == "window":
        return [x, x[:, ::-1].copy(), -x]
    steps = [np.ascontiguousarray(x[:, i : i + 1]) for i in range(STEPS)]
    if peer.startswith("edgelstm"):
        steps = [step[0, 0] if case.streams == 1 else step[:, 0] for step in steps]
    return steps


def open_case(peer: str, folder: Path, case: Case) -> tuple[Call, Array]:
    """Open a case, and answer 64 steps from a zero state."""
    call = PEERS[peer](folder / str(case.hidden), case)
    given = samples(peer, case)
    for x in given if case.what == "step" else given[:1]:
        y = call(x)
    return call, np.array(y, np.float32).reshape(case.streams)


def time_turn(call: Call, given: Any, calls: int) -> list[int]:
    clock = time.perf_counter_ns
    for _ in range(min(WARM_UP_CALLS, calls)):
        call(next(given))
    times = []
    for _ in range(calls):
        x = next(given)
        start = clock()
        call(x)
        times.append(clock() - start)
    return times


def main() -> None:
    peer, folder = sys.argv[1], Path(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    call, given = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if "open" in request:
            call, case = None, Case(*request["open"])  # the one before may go first
            try:
                call, y = open_case(peer, folder, case)
                given, reply = cycle(samples(peer, case)), {"answer": y.tolist()}
            except NotImplementedError as error:
                reply = {"failed": str(error)}
            except Exception as error:
                reply = {"failed": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"}
        else:
            reply = {"ns": time_turn(call, given, request["time"])}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
