"""From a table, or rows in memory, to answers: what a server, a loop on a device and the command line do with a file.

`samples` reads what is asked about and `answer` answers it, with names, units and times; `tables` reads a table with
its truth, to judge by; `answerer` runs a file in the mode of its contract. Nothing here needs more than numpy and
onnxruntime, and nothing here writes for people but notes and errors.
"""

from __future__ import annotations

from edgelstm.answers.answer import answer
from edgelstm.answers.answered import Answered, Answers, Places
from edgelstm.answers.answerer import answerer_of, score_as_run
from edgelstm.answers.samples import Samples, read_samples, samples_of
from edgelstm.answers.tables import Judged, read_examples

__all__ = [
    "Answered",
    "Answers",
    "Judged",
    "Places",
    "Samples",
    "answer",
    "answerer_of",
    "read_examples",
    "read_samples",
    "samples_of",
    "score_as_run",
]
