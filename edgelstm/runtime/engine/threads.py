"""Choose how many threads work inside one call."""

from __future__ import annotations

from edgelstm.host import available_cores
from edgelstm.runtime.file.summary import recurrent_width

# Below this width, a second thread made steps and windows slower: see benchmarks/results/threads.md.
WIDE = 1024
MOST = 2  # more were never measured


def choose_threads(content: bytes) -> int:
    """Choose for a checked model file: two threads if it is wide and the host has the cores, else one.

    Args:
        content: the whole file.

    Example:
        >>> from pathlib import Path
        >>> choose_threads(Path("models/co2/co2.fp32.onnx").read_bytes())
        1
    """
    # The recurrent weights of a wide layer are 4 WIDE * WIDE numbers of at least one byte: most files are too small.
    if len(content) < 4 * WIDE**2 or recurrent_width(content) < WIDE:
        return 1
    return max(1, min(MOST, int(available_cores())))
