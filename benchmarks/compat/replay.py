"""Replay the golden vectors of model files on the installed onnxruntime; JSON on stdout.

Runs where a device would run it: python -I replay.py FILE..., with numpy, onnxruntime and edgelstm's wheel.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import onnxruntime

from edgelstm.errors import EdgeLstmError
from edgelstm.runtime import Predictor, load, replay
from edgelstm.runtime.file.golden import worst_by_channel

# What is compared, by its key in a result.
MEASURED = {
    "replay": "replay by `edgelstm verify`",
    "client": "onnxruntime alone, no option set but one thread for int8",
    "stream": "stepped against at once",
}


def windows(predictor: Predictor) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """List the golden windows with their times, if the file takes times."""
    golden = predictor.golden
    return list(zip(golden.x, [None] * len(golden.x) if golden.times is None else golden.times, strict=True))


def stepped(predictor: Predictor) -> np.ndarray:
    """Step through each golden window as a device does; return the answers after the last step."""
    answers = []
    for x, times in windows(predictor):
        stream = predictor.stream()
        for sample, moment in zip(x, [None] * len(x) if times is None else times, strict=True):
            answer = stream.step(sample, moment)
        answers.append(answer)
    return np.stack(answers)


def at_once(predictor: Predictor) -> np.ndarray:
    answers = [predictor.predict(x, time_s=times) for x, times in windows(predictor)]
    return np.stack([y[-1] if predictor.contract.every_step else y for y in answers])


def by_any_client(path: str, predictor: Predictor) -> np.ndarray:
    """Run the golden windows with onnxruntime alone, as FORMAT.md asks for int8."""
    options = onnxruntime.SessionOptions()
    if predictor.contract.precision == "int8":
        options.intra_op_num_threads = 1
    options.log_severity_level = 3  # it warns of nodes on the CPU, even if there is no other device
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    golden, states = predictor.golden, predictor.contract.states
    zeros = {s.input: np.zeros([1 if size == "B" else size for size in s.shape], np.float32) for s in states}
    answers = []
    for i, x in enumerate(golden.x):
        beside = {"lengths": golden.lengths, "time_s": golden.times}
        given = {name: values[i : i + 1] for name, values in beside.items() if values is not None}
        answers.append(session.run(["y"], {"x": x[np.newaxis], **given, **zeros})[0][0])
    return np.where(np.isnan(golden.file), golden.file, np.stack(answers))  # NaN: after the length of a row


def replay_file(path: str) -> dict[str, object]:
    """Load a file, replay its vectors, step it; return the differences in units of its tolerance."""
    try:
        predictor = load(path).bare  # golden vectors are in the units of the graph
        found = replay(predictor)
        stream = worst_by_channel(stepped(predictor), at_once(predictor))
        client = worst_by_channel(*map(np.nan_to_num, (by_any_client(path, predictor), predictor.golden.file)))
    except EdgeLstmError as error:
        return {"loads": False, "reason": f"{type(error).__name__}: {error}"}
    replayed, streamed, plainly = (
        max(error / limit for error, limit in zip(errors, found.tolerance, strict=True))
        for errors in (found.file_error, stream, client)
    )
    holds = found.passed and plainly <= 1 and (predictor.contract.precision == "int8" or streamed <= 1)
    return {"loads": True, "holds": holds, "replay": replayed, "client": plainly, "stream": streamed}


def main() -> None:
    warnings.simplefilter("error")
    files = {path: replay_file(path) for path in sys.argv[1:]}
    print(json.dumps({"onnxruntime": onnxruntime.__version__, "numpy": np.__version__, "files": files}))


if __name__ == "__main__":
    main()
