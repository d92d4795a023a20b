"""Reading HDF5 in this process, where a test's own files do not try to end it."""

from __future__ import annotations

import io

import h5py
import pytest

from edgelstm.errors import NetworkError
from edgelstm.importers.keras import file as keras_file
from edgelstm.importers.keras import hdf5 as keras_hdf5


@pytest.fixture
def no_child(monkeypatch):
    """Save the quarter of a second that each child process takes."""

    def read(content, layout):
        try:
            with h5py.File(io.BytesIO(content), "r") as file:
                read_layout = keras_hdf5.by_class if layout == "zip" else keras_hdf5.by_name
                texts, groups = read_layout(file, len(content))
        except keras_hdf5.RefusedError as error:
            raise NetworkError(str(error)) from error
        return texts, {key: keras_file.Stored(name, arrays) for key, name, arrays in groups}

    monkeypatch.setattr(keras_file, "_read_hdf5", read)
