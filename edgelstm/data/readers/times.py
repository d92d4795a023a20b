"""Read the times of a table: which form they are written in, and which moments they are."""

from __future__ import annotations

from collections.abc import Sequence

from edgelstm.data.readers.asking import Stamps, TimeAsk
from edgelstm.data.readers.fields import Place


def read_stamps(texts: Sequence[str], ask: TimeAsk, place: Place) -> Stamps:
    """Read a column of times, or several that are joined by one blank.

    Args:
        texts: of each row.
        ask: how to read them.
        place: names a row in a message, `"data.csv: line 7"`.

    Raises:
        DataError: a time is missing or is none, the form is not the one that is asked for, or there are several
            that fit.
    """
    raise NotImplementedError
