"""The blocks of a page: sections with sentences, tables and charts. The templates take nothing else."""

from __future__ import annotations

from typing import NamedTuple

from edgelstm.report.chart import Chart


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        cells: the first is the name of the row.
        own: the row is about the evaluated network, not a baseline.
        shares: darkness of each cell after the first, 0 to 1; empty for none.
    """

    cells: tuple[str, ...]
    own: bool = False
    shares: tuple[float, ...] = ()


class Table(NamedTuple):
    """A table.

    Attributes:
        headers: of the columns.
        rows: one cell per header.
        title: above the table; empty for none.
    """

    headers: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""


class Section(NamedTuple):
    """A section of a page.

    Attributes:
        title: the heading.
        words: sentences before the content.
        tables: come first.
        charts: as wide as the page.
        small: charts side by side, if there is room.
        notes: sentences after the content.
    """

    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    small: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
