"""Names of arrays for annotations, by their elements. Shapes and units are in the docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]
Ints = NDArray[np.int64]
Times = NDArray[np.datetime64]
