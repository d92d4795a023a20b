"""Read what Keras saved: bytes to a plain config and arrays. Nothing is executed, unpickled or followed elsewhere.

Two layouts are known. `.keras` (Keras 3, and 2.13 on) is a zip of `metadata.json`, `config.json` and
`model.weights.h5`, whose groups are called after the classes: `layers/lstm_1/cell/vars/0`. The older HDF5 file has
the config as its attribute `model_config` and groups called after the layers:
`model_weights/lstm_3/lstm_3/lstm_cell/kernel:0`.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.errors import NetworkError, require
from edgelstm.strict_json import StrictJsonError, parse

Array = NDArray[Any]

_ZIP, _HDF5, _PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80"
_METADATA, _CONFIG, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # Keras 3; Keras 2.13 to 2.15

# Nothing is unpacked or read that claims to be larger.
_FILE_BYTES = 2**31
_JSON_BYTES = 16 * 2**20
_ARRAY_BYTES = 2**30
_RATIO = 100  # trained weights hardly compress
_ENTRIES = 1000
_OBJECTS = 20_000
_DEPTH = 8
_AXES = 4


class Stored(NamedTuple):
    """The weights of one layer as they lie in the file.

    Attributes:
        name: of the layer, where the file says it; else empty.
        arrays: by their path inside the layer, in the order of the file.
    """

    name: str
    arrays: dict[str, Array]


class KerasFile(NamedTuple):
    """What is in a file.

    Attributes:
        version: of the Keras that wrote it, `"3.15.1"`.
        model: the config, `class_name` and `config`, as JSON gave it.
        stored: by the layers' names (HDF5), or by their classes: `"lstm"`, `"lstm_1"` (`.keras`).
        by_name: which of the two.
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
    """Read a `.keras` zip or an HDF5 file of a whole Keras model.

    Raises:
        NetworkError: there is none, it is no such file, it is damaged, or it tries a trick.
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
        raise NetworkError(f"{path}: the file is damaged: {type(error).__name__}: {error}") from error
    if content.startswith(_PICKLE):
        raise NetworkError(f"{path}: expected a .keras or HDF5 file, got a pickle, which could run code; not opened")
    raise NetworkError(f"{path}: expected a .keras or HDF5 file, got something else; save it with model.save")


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise NetworkError(f"{path}: expected a file, got a folder; save the model as .keras, not as a SavedModel")
        size = path.stat().st_size
        if not 0 < size <= _FILE_BYTES:
            raise NetworkError(f"{path}: expected a file of 1 to {_FILE_BYTES:,} bytes, got {size:,}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NetworkError(f"{path}: there is no such file") from error
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {error.strerror or error}") from error


def _from_zip(content: bytes) -> KerasFile:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = _entries(archive)
        metadata = _object(_member(archive, entries, _METADATA, _JSON_BYTES), _METADATA)
        model = _object(_member(archive, entries, _CONFIG, _JSON_BYTES), _CONFIG)
        weights = _member(archive, entries, _WEIGHTS, _ARRAY_BYTES)
    with require("h5py", "keras").File(io.BytesIO(weights), "r") as file:
        container = next((name for name in _CONTAINERS if name in file), None)
        if container is None:
            raise NetworkError(f"{_WEIGHTS}: expected a group {_CONTAINERS[0]!r}, got {sorted(file)[:5]}")
        reader = _Reader(len(weights))
        stored = dict(_stored_by_class(reader, reader.child(file, container)))
    return KerasFile(_version(metadata.get("keras_version")), model, stored, False, _sha256(content))


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name; a file in which one of them tries a trick is refused as a whole."""
    members = archive.infolist()
    if len(members) > _ENTRIES:
        raise NetworkError(f"expected at most {_ENTRIES} files in the zip, got {len(members)}")
    entries: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        name = member.orig_filename
        path = PurePosixPath(name)
        link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name or link:
            raise NetworkError(f"the zip holds {name!r}, which leads out of it; this file is not to be trusted")
        if name in entries:
            raise NetworkError(f"the zip holds {name!r} twice; this file is not to be trusted")
        entries[name] = member
    return entries


def _member(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str, limit: int) -> bytes:
    """Inflate one member, after its claimed size was found bearable; the archive stops at what was claimed."""
    if name not in entries:
        raise NetworkError(f"the zip holds no {name}; save the whole model with model.save")
    member = entries[name]
    if member.flag_bits & 1:
        raise NetworkError(f"{name} is encrypted")
    if member.file_size > min(limit, _RATIO * member.compress_size + 2**20):
        raise NetworkError(
            f"{name} would grow from {member.compress_size:,} to {member.file_size:,} bytes when unpacked; expected at "
            f"most {limit:,}, and {_RATIO} times as many as packed"
        )
    with archive.open(member) as file:
        return file.read(limit)


def _from_hdf5(content: bytes) -> KerasFile:
    with require("h5py", "keras").File(io.BytesIO(content), "r") as file:
        if "model_config" not in file.attrs:
            raise NetworkError("expected a whole model, got weights alone (no model_config); save it with model.save")
        model = _object(_text(file.attrs["model_config"], "model_config"), "model_config")
        reader = _Reader(len(content))
        group = reader.child(file, "model_weights")
        version = file.attrs.get("keras_version", group.attrs.get("keras_version"))
        stored = dict(_stored_by_name(reader, group))
    return KerasFile(_version(version), model, stored, True, _sha256(content))


def _stored_by_class(reader: _Reader, container: Any) -> Iterator[tuple[str, Stored]]:
    for name in container:
        group = reader.child(container, name)
        own = reader.child(group, "vars") if "vars" in group else group
        said = own.attrs.get("name", "")
        yield name, Stored(said if isinstance(said, str) else "", dict(reader.arrays(group)))


def _stored_by_name(reader: _Reader, weights: Any) -> Iterator[tuple[str, Stored]]:
    for name in _names(weights, "layer_names"):
        group = reader.child(weights, name)
        arrays = {path: reader.array(reader.child(group, path), path) for path in _names(group, "weight_names")}
        yield name, Stored(name, arrays)


class _Reader:
    """Takes arrays out of an HDF5 file, as many as its size can hold, and follows no link out of it."""

    def __init__(self, file_bytes: int) -> None:
        self.bytes_left = min(_ARRAY_BYTES, _RATIO * file_bytes)
        self.objects_left = _OBJECTS

    def child(self, group: Any, path: str) -> Any:
        """The object at a path below a group, by hard links alone."""
        h5py = require("h5py", "keras")
        for name in filter(None, path.split("/")):
            if not isinstance(group, h5py.Group) or name not in group:
                raise NetworkError(f"the weights lack {path!r}")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise NetworkError(f"the weights hold {path!r} as a link to another place; it is not followed")
            group = group[name]
        return group

    def arrays(self, group: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Array]]:
        """Every array below a group, by path."""
        if depth > _DEPTH:
            raise NetworkError(f"the weights are nested deeper than {_DEPTH} groups at {prefix!r}")
        for name in group:
            found, path = self.child(group, name), f"{prefix}{name}"
            self.objects_left -= 1
            if self.objects_left < 0:
                raise NetworkError(f"expected at most {_OBJECTS:,} objects among the weights, got more")
            if isinstance(found, require("h5py", "keras").Group):
                yield from self.arrays(found, f"{path}/", depth + 1)
            else:
                yield path, self.array(found, path)

    def array(self, dataset: Any, path: str) -> Array:
        """Read one array, after what it claims to be was found bearable."""
        if not isinstance(dataset, require("h5py", "keras").Dataset) or dataset.shape is None:
            raise NetworkError(f"the weights hold {path!r}, which is no array")
        if dataset.external or dataset.is_virtual:
            raise NetworkError(f"the weights keep {path!r} in another file; it is not read")
        if dataset.dtype.kind not in "fiu" or dataset.ndim > _AXES:
            raise NetworkError(f"{path}: expected numbers, got {dataset.dtype} {list(dataset.shape)}")
        self.bytes_left -= dataset.size * dataset.dtype.itemsize
        if self.bytes_left < 0:
            raise NetworkError(f"{path}: {list(dataset.shape)} is more than this file can hold")
        return np.asarray(dataset[()])


def _names(group: Any, attribute: str) -> list[str]:
    """Read a list of names, which Keras cuts into attributes `NAME0`, `NAME1`, ... when it is long."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        keys = sorted((k for k in group.attrs if re.fullmatch(rf"{attribute}\d{{1,4}}", k)), key=lambda k: (len(k), k))
        parts = [group.attrs[key] for key in keys]
    names = [_text(name, attribute) for part in parts for name in np.asarray(part, object).reshape(-1)]
    if len(set(names)) != len(names):
        raise NetworkError(f"{attribute}: expected different names, got one twice")
    return names


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
