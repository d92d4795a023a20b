"""From a table, or rows in memory, to answers: for a server, a loop on a device and the command line.

`samples` reads the inputs and `answer` gives the answers, with names, units and times; `tables` reads a table with
its truth, for evaluation; `answerer` runs a file in the mode of its contract. This room needs only numpy and
onnxruntime; its only texts for people are notes and errors.
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
