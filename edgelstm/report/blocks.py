"""What a page is made of: sections with sentences, tables and charts. The templates know nothing else."""

from __future__ import annotations

from typing import NamedTuple

from edgelstm.report.chart import Chart


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        cells: the first is its name.
        own: it is about what was judged, not about a baseline.
        shares: how dark each cell but the first is, 0 to 1; empty for none.
    """

    cells: tuple[str, ...]
    own: bool = False
    shares: tuple[float, ...] = ()


class Table(NamedTuple):
    """A table.

    Attributes:
        headers: of the columns.
        rows: as wide as the headers.
        title: above it; empty for none.
    """

    headers: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""


class Section(NamedTuple):
    """A piece of a page.

    Attributes:
        title: its headline.
        words: sentences in front of it.
        tables: what stands first.
        charts: drawings as wide as the page.
        small: drawings that stand side by side where there is room.
        notes: sentences behind it.
    """

    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    small: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
