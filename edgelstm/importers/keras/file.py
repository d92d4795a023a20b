"""Read Keras files: from bytes to a plain config and arrays. No code, pickle or link in them is executed or followed.

There are two layouts. `.keras` (Keras 3, and Keras 2 from 2.13) is a zip of `metadata.json`, `config.json` and
`model.weights.h5`, whose groups are named after the classes: `layers/lstm_1/cell/vars/0`. The older HDF5 file has
the config as its attribute `model_config`, and groups named after the layers:
`model_weights/lstm_3/lstm_3/lstm_cell/kernel:0`.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from edgelstm.arrays import Array
from edgelstm.errors import NetworkError, one_line, require
from edgelstm.strict_json import StrictJsonError, parse

_ZIP, _HDF5, _PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80"
_METADATA, _CONFIG, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_CHILD = (
    "import sys, runpy; layout, path, *sys.path[:] = sys.argv[1:]; sys.argv[1:] = [layout]; "
    "runpy.run_path(path, run_name='__main__')"
)
_REFUSED = 3
_WALL_S = 120

# Anything that declares a larger size is not unpacked or read.
_FILE_BYTES = 2**31
_JSON_BYTES = 16 * 2**20
_ARRAY_BYTES = 2**30
_RATIO = 100  # trained weights hardly compress
_ENTRIES = 1000


class Stored(NamedTuple):
    """The weights of one layer as the file stores them.

    Attributes:
        name: of the layer, if the file says it; else empty.
        arrays: by their path inside the layer, in the order of the file.
    """

    name: str
    arrays: dict[str, Array]


class KerasFile(NamedTuple):
    """The content of a Keras file.

    Attributes:
        version: of the Keras that wrote it, `"3.15.1"`.
        model: the config, `class_name` and `config`, as parsed from JSON.
        stored: by the names of the layers (HDF5), or by their classes: `"lstm"`, `"lstm_1"` (`.keras`).
        by_name: whether `stored` is by name.
        sha256: of the file.
    """

    version: str
    model: dict[str, Any]
    stored: dict[str, Stored]
    by_name: bool
    sha256: str

    @property
    def major(self) -> int:
        """2 or 3."""
        return int(self.version.split(".")[0])


def read_keras_file(path: str | Path) -> KerasFile:
    """Read a `.keras` zip or an HDF5 file of a complete Keras model.

    Raises:
        NetworkError: the file is missing, of another kind, damaged or malicious.
        MissingDependencyError: h5py is not installed.
    """
    require("h5py", "keras")
    content = _content(Path(path))
    try:
        if content.startswith(_ZIP):
            return _from_zip(content)
        if content.startswith(_HDF5):
            return _from_hdf5(content)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error
    except Exception as error:  # h5py, zipfile and zlib have a dozen errors without a common base
        raise NetworkError(f"{path}: the file is damaged: {one_line(error)}") from error
    if content.startswith(_PICKLE):
        raise NetworkError(f"{path}: expected a .keras or HDF5 file, got a pickle, which could run code; not opened")
    raise NetworkError(f"{path}: expected a .keras or HDF5 file, got another kind; save the model with model.save")


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise NetworkError(f"{path}: expected a file, got a folder; save the model as .keras, not as a SavedModel")
        size = path.stat().st_size
        if not 0 < size <= _FILE_BYTES:
            raise NetworkError(f"{path}: expected a file of 1 to {_FILE_BYTES:,} bytes, got {size:,}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NetworkError(f"{path}: file not found") from error
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {error.strerror or error}") from error


def _from_zip(content: bytes) -> KerasFile:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = _entries(archive)
        metadata = _object(_member(archive, entries, _METADATA, _JSON_BYTES), _METADATA)
        model = _object(_member(archive, entries, _CONFIG, _JSON_BYTES), _CONFIG)
        weights = _member(archive, entries, _WEIGHTS, _ARRAY_BYTES)
    _, stored = _read_hdf5(weights, "zip")
    return KerasFile(_version(metadata.get("keras_version")), model, stored, False, _sha256(content))


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """List the members by name; a zip with a malicious member is refused as a whole."""
    members = archive.infolist()
    if len(members) > _ENTRIES:
        raise NetworkError(f"expected at most {_ENTRIES} files in the zip, got {len(members)}")
    entries: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        name = member.orig_filename
        path = PurePosixPath(name)
        link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name or link:
            raise NetworkError(f"the zip contains {name!r}, a path outside of it; do not trust this file")
        if name in entries:
            raise NetworkError(f"the zip contains {name!r} twice; do not trust this file")
        entries[name] = member
    return entries


def _member(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str, limit: int) -> bytes:
    """Unpack one member if its declared size is acceptable; the archive stops at the declared size."""
    if name not in entries:
        raise NetworkError(f"the zip lacks {name}; save the complete model with model.save")
    member = entries[name]
    if member.flag_bits & 1:
        raise NetworkError(f"{name} is encrypted")
    if member.file_size > min(limit, _RATIO * member.compress_size + 2**20):
        raise NetworkError(
            f"{name} would grow from {member.compress_size:,} to {member.file_size:,} bytes when unpacked; expected at "
            f"most {limit:,} bytes, and at most {_RATIO} times the packed size"
        )
    with archive.open(member) as file:
        return file.read(limit)


def _from_hdf5(content: bytes) -> KerasFile:
    texts, stored = _read_hdf5(content, "hdf5")
    model = _object(texts.get("model_config", ""), "model_config")
    return KerasFile(_version(texts.get("keras_version")), model, stored, True, _sha256(content))


def _read_hdf5(content: bytes, layout: str) -> tuple[dict[str, str], dict[str, Stored]]:
    """Read HDF5 in a child process, because the library crashes on some damaged files."""
    if not sys.executable:
        raise NetworkError("cannot be read: this Python does not know the path of its own executable")
    try:
        child = subprocess.run(  # noqa: S603  (our own interpreter, our own code)
            [sys.executable, "-c", _CHILD, layout, _child_path(), *sys.path],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WALL_S,
        )
    except subprocess.TimeoutExpired as error:
        raise NetworkError(f"the file is damaged: reading its HDF5 took more than {_WALL_S} s") from error
    if child.returncode == _REFUSED:
        raise NetworkError(child.stdout[:2000].decode(errors="replace").strip())
    if child.returncode:
        raise NetworkError(f"the file is damaged: reading its HDF5 crashed the process ({child.returncode})")
    return _unpacked(child.stdout)


def _child_path() -> str:
    """Give the path of the child's code, which stands alone and is not imported here."""
    return str(Path(__file__).with_name("hdf5.py"))


def _unpacked(answer: bytes) -> tuple[dict[str, str], dict[str, Stored]]:
    """Parse the output of the child: a line of JSON, then the arrays that it lists."""
    line, _, rest = answer.partition(b"\n")
    said = _object(line, "HDF5")
    stored, start = {}, 0
    for key, name, arrays in said["groups"]:
        found = {}
        for path, kind, shape in arrays:
            dtype, count = np.dtype(kind), int(np.prod(shape, dtype=np.int64))
            found[path] = np.frombuffer(rest, dtype, count, start).reshape(shape)
            start += count * dtype.itemsize
        stored[key] = Stored(name, found)
    return said["texts"], stored


def _text(value: Any, place: str) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str) or len(value) > _JSON_BYTES:
        raise NetworkError(f"{place}: expected text, got {type(value).__name__}")
    return str(value)


def _object(text: str | bytes, place: str) -> dict[str, Any]:
    try:
        value = parse(text)
    except StrictJsonError as error:
        raise NetworkError(f"{place}: {error}") from error
    if not isinstance(value, dict):
        raise NetworkError(f"{place}: expected an object, got {type(value).__name__}")
    return value


def _version(value: Any) -> str:
    version = _text(value, "keras_version") if value is not None else "nothing"
    if not re.fullmatch(r"[23]\.\d[\w.+-]{0,40}", version):
        raise NetworkError(f"keras_version: expected 2.x or 3.x, got {version[:40]!r}")
    return version


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
