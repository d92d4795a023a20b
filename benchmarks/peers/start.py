"""The time from process start to first prediction, and the memory then, of each peer, in turns."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import numpy as np

from benchmarks.peers import environments

HIDDEN = 64
ROUNDS = 15
SLOW_ROUNDS = 4  # for peers that take seconds
_TAIL = """
print(float(y.sum()), flush=True)
print(open("/proc/self/statm").read().split()[1], flush=True)
"""
_X = "import numpy; x = numpy.ones((1, 64, 8), 'float32')"
# What a person would write; FOLDER is replaced. The plain export is the file without edgelstm.
CODE = {
    "edgelstm": "import edgelstm; y = edgelstm.load('FOLDER/window.fp32.onnx').predict(x)",
    "plain export": """
import onnxruntime
session = onnxruntime.InferenceSession('FOLDER/window64x1.onnx')
y = session.run(None, {'x': x})[0]
""",
    "torch eager": """
import torch
weights = numpy.load('FOLDER/weights.npz')
lstm, head = torch.nn.LSTM(8, 64, batch_first=True), torch.nn.Linear(64, 1)
for part, name in ((lstm, 'lstm.'), (head, 'head.')):
    part.load_state_dict({k[5:]: torch.from_numpy(v) for k, v in weights.items() if k.startswith(name)})
with torch.inference_mode():
    y = head(lstm(torch.from_numpy(x))[0][:, -1]).numpy()
""",
    "LiteRT fp32": """
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter('FOLDER/window64x1.fp32.tflite', num_threads=1)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]['index'], x)
interpreter.invoke()
y = interpreter.get_tensor(interpreter.get_output_details()[0]['index'])
""",
    "OpenVINO": """
import openvino
y = openvino.Core().compile_model('FOLDER/window64x1.onnx', 'CPU')({'x': x})['y']
""",
}


def measure_start() -> dict[str, Any]:
    """Measure the time in ms and our ratio to each peer (median and quartiles), and the memory in MiB."""
    times: dict[str, list[float]] = {peer: [] for peer in CODE}
    memory: dict[str, list[float]] = {peer: [] for peer in CODE}
    for turn in range(ROUNDS + 1):
        for peer in list(times):
            if peer == "torch eager" and turn > SLOW_ROUNDS:
                continue
            found = start_once(peer)
            if found is None:
                del times[peer], memory[peer]
            elif turn:  # the first round fills the caches of the disk
                times[peer].append(found[0])
                memory[peer].append(found[1])
    ours = np.array(times["edgelstm"])
    return {
        peer: {
            "ms": np.percentile(found, [25, 50, 75]).tolist(),
            "ratio": np.percentile(ours[: len(found)] / np.array(found), [25, 50, 75]).tolist(),
            "resident_mib": float(np.median(memory[peer])),
        }
        for peer, found in times.items()
    }


def start_once(peer: str) -> tuple[float, float] | None:
    """Return the milliseconds until the prediction, and the resident MiB; None if it fails."""
    code = f"{_X}\n{CODE[peer]}{_TAIL}".replace("FOLDER", str(environments.MODELS / str(HIDDEN)))
    command = [environments.python_of(peer), "-c", code]
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environments.variables()
    ) as process:
        answered = process.stdout.readline()
        taken = time.perf_counter() - start
        rest = process.stdout.read()
    return (taken * 1e3, int(rest) * 4096 / 2**20) if answered.strip() and process.returncode == 0 else None
