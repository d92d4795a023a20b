"""The command line: words for people around calls that programs can make themselves."""

from __future__ import annotations

from edgelstm.cli.app import main

__all__ = ["main"]
