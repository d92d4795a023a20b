"""Several processes that train together: start one per device, collect the result, end all when one fails.

Each process starts with this module, not with the caller's script: a notebook, or a script without a main guard, is not
run twice. The job comes through stdin, which stays open, so that a process ends when its caller dies; the result goes
back through stdout.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import IO, Any, cast

import torch

from edgelstm.errors import EdgeLstmError, TrainingError
from edgelstm.recipe.sections import TrainingRecipe

NODE_VARIABLES = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
CAUSE_S = 3.0  # the first process to fail may only miss another one: wait for that one to say why it failed
_BEGIN = "from edgelstm.train.ranks import main; main()"


class _FailedError(Exception):
    """A process has failed: how little the error says about the cause, and the error to raise."""


def processes_of(training: TrainingRecipe) -> int:
    """Give the number of processes that train together, on all nodes."""
    return training.devices * training.nodes


def node_rank(training: TrainingRecipe) -> int:
    """Give the rank of this node, from 0.

    Raises:
        TrainingError: the environment does not say.
    """
    if training.nodes == 1:
        return 0
    missing = [name for name in NODE_VARIABLES if not os.environ.get(name)]
    if missing:
        raise TrainingError(
            f"training.nodes: {training.nodes} nodes need environment variables to find each other; set "
            f"{', '.join(missing)}: NODE_RANK from 0 to {training.nodes - 1}, and the address and a free port of node 0"
        )
    rank = os.environ["NODE_RANK"]
    if not rank.isdecimal() or int(rank) >= training.nodes:
        raise TrainingError(f"NODE_RANK: expected 0 to {training.nodes - 1} on {training.nodes} nodes, got {rank!r}")
    return int(rank)


def writes(training: TrainingRecipe) -> bool:
    """Whether this is the node that writes the run and prints: the first."""
    return node_rank(training) == 0


def in_ranks(function: Callable[[Any], Any], argument: Any, training: TrainingRecipe) -> Any:
    """Call a function of this package in one process per device of this node.

    Args:
        function: called in each process.
        argument: of the function; is pickled.
        training: gives the number of devices, nodes and threads.

    Returns:
        The result of the first process.

    Raises:
        EdgeLstmError: as raised in a process.
        TrainingError: a process has died or raised an error of another kind; all others have been ended.
        KeyboardInterrupt: Ctrl-C was pressed; all have been ended.
    """
    job, environment = pickle.dumps((function, argument), protocol=5), _environment(training)
    with contextlib.ExitStack() as behind:  # callbacks run in reverse order
        processes = [_started(rank, environment) for rank in range(training.devices)]
        for process in processes:
            behind.callback(_close, process)
        pool = behind.enter_context(ThreadPoolExecutor(training.devices))
        for process in processes:
            behind.callback(process.kill)
        outcomes = [pool.submit(_answer, process, job, rank) for rank, process in enumerate(processes)]
        _, running = wait(outcomes, return_when=FIRST_EXCEPTION)
        wait(running, CAUSE_S)
        failures = [found for outcome in outcomes if (found := _failure(outcome))]
    if failures:
        raise min(failures, key=lambda found: found[0])[1]
    return outcomes[0].result()


def main() -> None:
    """Do the job from stdin, and write the result to stdout; see `in_ranks`."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # gloo prints there
    with os.fdopen(os.dup(0), "rb") as source:
        function, argument = pickle.load(source)  # noqa: S301  (from the process that started this one)
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    try:
        found = function(argument)
        answer: tuple[Any, Any, str] = (found if os.environ["LOCAL_RANK"] == "0" else None, None, "")
    except Exception as error:
        answer = (None, error if isinstance(error, EdgeLstmError) else _in_a_line(error), traceback.format_exc())
    with answers:
        pickle.dump(answer, answers, protocol=5)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _end_with_the_caller() -> None:
    os.read(0, 1)
    os._exit(1)


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _environment(training: TrainingRecipe) -> dict[str, str]:
    """Give the environment of a process: its node, the address of the first process, the number of threads."""
    threads = training.threads or max(1, torch.get_num_threads() // training.devices)
    here = {} if training.nodes > 1 else {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    return {
        **os.environ,
        **here,
        "NODE_RANK": str(node_rank(training)),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "TORCH_CPP_LOG_LEVEL": "ERROR",  # do not repeat that one process misses another
    }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _started(rank: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process; Ctrl-C reaches only the caller, which ends all, and only the first process shows progress."""
    return subprocess.Popen(  # noqa: S603  (this Python, this package)
        [sys.executable, "-c", _BEGIN],
        env={**environment, "LOCAL_RANK": str(rank)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if rank else None,
        start_new_session=True,
    )


def _answer(process: subprocess.Popen[bytes], job: bytes, rank: int) -> Any:
    """Give a process its job and wait for the result."""
    job_pipe, answer_pipe = _pipes(process)
    with contextlib.suppress(BrokenPipeError):  # it has died; its status says how
        job_pipe.write(job)
        job_pipe.flush()
    answer, status = answer_pipe.read(), process.wait()
    name = f"training.devices: process {rank}"
    if status or not answer:
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        raise _FailedError(1, TrainingError(f"{name} {how}, and the others were stopped; --resume continues"))
    found, error, trace = pickle.loads(answer)  # noqa: S301  (from a process that this one started)
    if isinstance(error, EdgeLstmError):
        raise _FailedError(0, error)
    if error:
        failed = TrainingError(f"{name} failed, and the others were stopped: {error}")
        failed.__cause__ = RuntimeError(trace)
        raise _FailedError(2, failed)
    return found


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes of a process that has ended."""
    for pipe in _pipes(process):
        with contextlib.suppress(BrokenPipeError):  # it had not read its whole job
            pipe.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    return cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)


def _failure(outcome: Future[Any]) -> Any:
    """Give how little a failure says about the cause, and the error; None if there is none yet."""
    error = outcome.exception() if outcome.done() else None
    return error.args if isinstance(error, _FailedError) else None
