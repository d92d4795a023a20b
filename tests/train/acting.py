"""What a process of two does, see `edgelstm.train.ranks.in_ranks`; imported in each of them, so light."""

from __future__ import annotations

import os
import signal
import time

import torch

from edgelstm.errors import OutputError


def ends(what):
    rank = int(os.environ["LOCAL_RANK"])
    if what == "both say who they are":
        return rank, torch.get_num_threads()
    if what == "the second is killed" and rank:
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "the second meets a bug" and rank:
        raise ZeroDivisionError("by zero\nand more")
    if what == "the first has an error of ours" and not rank:
        raise OutputError("cannot write: No space left on device")
    time.sleep(0 if what == "the first has an error of ours" else 600)
    raise RuntimeError("the other one is gone")
