"""The command line: options and messages around calls that a program can make itself."""

from __future__ import annotations

from edgelstm.cli.app import main

__all__ = ["main"]
