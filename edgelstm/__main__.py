"""`python -m edgelstm` is the `edgelstm` command."""

from edgelstm.cli import main

main()
