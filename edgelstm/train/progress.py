"""Show the progress of a training: a bar on a terminal, about ten plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgelstm.train.best import Best
from edgelstm.train.feeding.feed import Feed

PLAIN_LINES = 10  # progress lines of a training without a terminal

Tell = Callable[[Best], None]


@contextmanager
def telling(feed: Feed, epochs: int, done: int, shown: bool) -> Iterator[Tell]:
    """Give a function that reports an epoch that has ended, on stderr.

    Args:
        feed: gives the size of an epoch.
        epochs: of the whole training.
        done: number of epochs already done, if it is resumed.
        shown: otherwise nothing is printed.
    """
    start_s, console = time.perf_counter(), Console(stderr=True)

    def words(best: Best) -> str:
        learnt, validation = best.history[-1]
        rate = feed.samples * (len(best.history) - done) / (time.perf_counter() - start_s)
        chosen = "" if math.isnan(validation) else f"  validation {validation:.4g} (best: epoch {best.epoch})"
        return f"loss {learnt:.4g}{chosen}  {rate:,.0f} {feed.unit}/s"

    if not shown:
        yield lambda best: None
    elif not console.is_terminal:
        yield lambda best: _print_some(len(best.history), epochs, words(best))
    else:
        columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"))
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("", total=epochs, completed=done)
            yield lambda best: bar.update(task, completed=len(best.history), description=words(best))


def _print_some(epoch: int, epochs: int, words: str) -> None:
    if epoch % max(1, epochs // PLAIN_LINES) == 0 or epoch in (1, epochs):
        print(f"epoch {epoch}/{epochs}  {words}", file=sys.stderr, flush=True)
