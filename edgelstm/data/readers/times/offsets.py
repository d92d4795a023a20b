"""Check that times have an offset from UTC if, and only if, those of training had one."""

from __future__ import annotations

from edgelstm.data.readers.asking import TimeAsk
from edgelstm.data.readers.columns.fields import Place
from edgelstm.data.readers.times.forms import names_offset
from edgelstm.errors import DataError
from edgelstm.reading import ISO, ISO_WITH_OFFSET


def refuse_other_kind(form: str, ask: TimeAsk, place: Place, example: str) -> None:
    """Refuse times with an offset if those of training had none, or the other way round.

    Times without an offset are read as UTC, or in the zone of training. Nothing shows whether that is hours off.

    Args:
        form: how the times are written.
        ask: the options; a given format overrides this check, and so does a given zone for times without an offset.
        place: names a row.
        example: the first time, as written.

    Raises:
        DataError: they differ; names the option to give.

    Example:
        >>> from edgelstm.reading import TimeForm
        >>> trained = TimeForm(("t",), "iso with offset")
        >>> refuse_other_kind("iso without offset", TimeAsk(("t",), like=trained), "row {}".format, "2024-01-01T00:00")
        Traceback (most recent call last):
        edgelstm.errors.DataError: row 0: expected times with UTC or an offset from it, as in training, got \
'2024-01-01T00:00' in column 't': write them the same way, or give --time-zone UTC
    """
    trained = names_offset(ask.like.form) if ask.like is not None else None
    if trained is None or ask.format is not None or names_offset(form) is trained or (trained and ask.zone):
        return
    zone = (ask.like.zone if ask.like is not None else None) or "UTC"
    expected, mend = (
        "times with UTC or an offset from it, as in training",
        f"give --time-zone {zone}",
    )
    if not trained:
        typed = ISO if form == ISO_WITH_OFFSET else repr(form)
        expected = f"times without an offset from UTC, as in training, which read them as {zone}"
        mend = f"give --time-format {typed} if these offsets are right"
    raise DataError(
        f"{place(0)}: expected {expected}, got {example[:40]!r} in column {' '.join(ask.columns)!r}: write them "
        f"the same way, or {mend}"
    )
