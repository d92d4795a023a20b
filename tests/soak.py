"""Step for a long time, in many threads, in a fork: does a stream stay exact, and does memory stay flat?

    python -m tests.soak --steps 10000000

A carried fp32 network with random weights is stepped sample by sample, on one state that is never reset, and held bit
for bit against the same samples as one batch that carries its state from chunk to chunk through onnxruntime itself.
Then many streams join, step and leave. Exit status 1 if a bit differs, if memory grew by more than 1 MiB after
the first tenth, if a thread answered otherwise than alone, or if a fork or a pickle did what it must not.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np

from edgelstm.bench.machine import resident_mib
from edgelstm.errors import SharingError
from edgelstm.export.graph import build_graph
from edgelstm.network import Linear, Lstm, Network, Rescale, Standardize
from edgelstm.runtime import Predictor
from tests.export.drawn import load_graph, make_contract, make_weights

HIDDEN, F, CHUNK, THREADS, MAX_GROWTH_MIB = 16, 8, 1000, 32, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000)
    steps = parser.parse_args().steps
    predictor = make_predictor()
    for part in (long, many, threads, fork, pickles):
        for line in part(predictor, steps):
            print(line, flush=True)


def make_predictor() -> Predictor:
    layers = (
        Standardize("offset", "factor"),
        Lstm("lstm", F, HIDDEN),
        Linear("head", HIDDEN, 1),
        Rescale("scale", "back"),
    )
    network = Network(layers)
    contract = make_contract(network, outputs=1, inputs=F, window=64, state="carried")
    weights = make_weights(network, 0, F, spread=1, factors=(0.5, 1.5))
    return load_graph(build_graph(network, weights, contract), contract)


def long(predictor: Predictor, steps: int) -> Iterator[str]:
    """One stream, stepped, and the same as chunks."""
    stream, chunks, rng = predictor.stream(), Chunks(predictor), np.random.default_rng(0)
    answers, began = np.empty((CHUNK, 1, 1), np.float32), time.perf_counter()
    memory = np.full(max(1, steps // CHUNK), np.nan)  # written at once, so that it does not grow itself
    for chunk in range(len(memory)):
        x = rng.normal(size=(CHUNK, F)).astype(np.float32)
        for i, sample in enumerate(x):
            answers[i] = stream.step(sample, copy=False)
        if answers.tobytes() != chunks.run(x).tobytes():
            sys.exit(f"chunk {chunk}: {np.abs(answers - chunks.last).max():g} from the batch")
        memory[chunk] = resident_mib() or 0.0
    for name, tensor in chunks.states.items():
        if stream.state[name].tobytes() != tensor.tobytes():
            sys.exit(f"{name}: the state of the stream is not that of the batch")
    yield f"{len(memory) * CHUNK:,} steps equal to chunked batches bit for bit, in {time.perf_counter() - began:.0f} s"
    yield flat(memory)


def many(predictor: Predictor, steps: int) -> Iterator[str]:
    """Streams that join, step in any company, and leave; between 50 and 160 stay."""
    streams, rng, stepped = predictor.streams(160), np.random.default_rng(3), 0
    memory = np.full(max(10, steps // 100), np.nan)
    x = rng.normal(size=(160, F)).astype(np.float32)
    for count in range(1, 161):  # each size is bound when it first comes, 5 kB of it
        streams.step(x[:count], at=np.arange(count))
    for turn in range(len(memory)):
        count = int(rng.integers(1, len(streams) + 1))
        streams.step(x[:count], at=rng.permutation(streams.numbers)[:count])
        stepped += count
        if turn % 10 == 0:
            if len(streams) > 50:
                streams.leave(rng.permutation(streams.numbers)[:5])
            if len(streams) < 150:
                streams.join(int(rng.integers(1, 10)))
        memory[turn] = resident_mib() or 0.0
    yield f"{stepped:,} steps of streams that came and went"
    yield flat(memory)


def flat(memory: np.ndarray) -> str:
    """Say how memory went, after a first tenth that warms it up."""
    warm = memory[len(memory) // 10 :]
    if len(memory) >= 1000 and warm.max() - warm[0] > MAX_GROWTH_MIB:
        sys.exit(f"memory grew by {warm.max() - warm[0]:.2f} MiB, more than {MAX_GROWTH_MIB}")
    return (
        f"    resident memory {warm[0]:.2f} MiB after the first tenth, at most {warm.max():.2f}, at last {warm[-1]:.2f}"
    )


class Chunks:
    """A series through onnxruntime alone, chunk by chunk, the state handed on."""

    def __init__(self, predictor: Predictor) -> None:
        self.session, self.outputs = predictor._session, {s.input: s.output for s in predictor.contract.states}
        self.states = {name: np.zeros((1, 1, HIDDEN), np.float32) for name in self.outputs}

    def run(self, x: np.ndarray) -> np.ndarray:
        y, *states = self.session.run(["y", *self.outputs.values()], {"x": x[np.newaxis], **self.states})
        self.states, self.last = dict(zip(self.outputs, states, strict=True)), y[0]
        return self.last


def threads(predictor: Predictor, steps: int) -> Iterator[str]:
    """Many threads share a predictor, each with a stream of its own."""
    x = np.random.default_rng(1).normal(size=(THREADS, max(10, steps // 1000), F)).astype(np.float32)
    expected, found = [predictor.stream().run(row).tobytes() for row in x], [b""] * THREADS

    def work(i: int) -> None:
        stream = predictor.stream()
        found[i] = np.stack([stream.step(sample) for sample in x[i]]).tobytes()

    workers = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if found != expected:
        sys.exit("threads: a stream answered otherwise than alone")
    yield f"{THREADS} threads with a stream each, {x.shape[1]:,} steps, equal to streams alone bit for bit"


def fork(predictor: Predictor, steps: int) -> Iterator[str]:
    """A fork of a session of one thread goes on rightly."""
    x = np.random.default_rng(2).normal(size=(max(10, steps // 1000), F)).astype(np.float32)
    stream, expected = predictor.stream(), predictor.stream().run(x).tobytes()
    stream.step(x[0])
    child = os.fork()
    if child == 0:
        stream.reset()
        os._exit(np.stack([stream.step(sample) for sample in x]).tobytes() != expected)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit("fork: the child answered otherwise than its parent, or died")
    yield f"a fork went on for {len(x):,} steps, equal bit for bit"


def pickles(predictor: Predictor, steps: int) -> Iterator[str]:
    """A pickle is refused with a reason."""
    for one in (predictor, predictor.stream(), predictor.streams(1)):
        try:
            pickle.dumps(one)
        except SharingError as error:
            yield f"refused: {error}"
        else:
            sys.exit(f"a {type(one).__name__} was pickled")


if __name__ == "__main__":
    main()
