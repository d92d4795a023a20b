"""Read the arrays and texts of a Keras HDF5 file: a child process of `edgelstm.importers.keras.file`.

h5py and the HDF5 library below it crash on some damaged files (measured: a segmentation fault for one in a few thousand
files with altered bytes, in h5py 3.16), so this runs in a process of its own, with limits of memory and time. It needs
the standard library, numpy and h5py alone. The file comes on stdin; the result goes to stdout: a line of JSON, then the
arrays one after the other. A refusal goes to stdout, with exit status 3.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

REFUSED = 3
CPU_S = 60
MEMORY_BYTES = 512 * 2**20
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # Keras 3; Keras 2.13 to 2.15

# Anything that declares a larger size is not read.
_TEXT = 16 * 2**20
_ARRAY_BYTES = 2**30
_RATIO = 100
_OBJECTS = 20_000
_DEPTH = 8
_AXES = 4


class RefusedError(Exception):
    """The file contains something that is not supported; says what."""


def main(layout: str) -> None:
    """Run the child: read stdin as `"zip"` (the weights of a .keras file) or `"hdf5"` (a complete model)."""
    try:
        content = sys.stdin.buffer.read()
        _warm_up()
        _limit(len(content))
        with h5py.File(io.BytesIO(content), "r") as file:
            _answer(*(by_class(file, len(content)) if layout == "zip" else by_name(file, len(content))))
    except RefusedError as error:
        _refuse(str(error))
    except Exception as error:  # h5py has half a dozen errors without a common base
        _refuse(f"the file is damaged: {type(error).__name__}: {error}")


def by_class(file: Any, size: int) -> tuple[dict[str, str], list[tuple[str, str, dict[str, Array]]]]:
    """Read the groups of a .keras file, named after the classes, with the name of the layer if the file says it."""
    container = next((name for name in _CONTAINERS if name in file), None)
    if container is None:
        raise RefusedError(f"expected a group {_CONTAINERS[0]!r} with the weights, got {sorted(file)[:5]}")
    reader = _Reader(size)
    groups = reader.child(file, container)
    return {}, [(name, *_group(reader, groups, name)) for name in groups]


def _group(reader: _Reader, groups: Any, name: str) -> tuple[str, dict[str, Array]]:
    group = reader.child(groups, name)
    own = reader.child(group, "vars") if "vars" in group else group
    said = own.attrs.get("name", "")
    return said if isinstance(said, str) else "", dict(reader.arrays(group))


def by_name(file: Any, size: int) -> tuple[dict[str, str], list[tuple[str, str, dict[str, Array]]]]:
    """Read the texts of a complete model, and the groups of its weights, named after the layers."""
    if "model_config" not in file.attrs:
        raise RefusedError("expected a complete model, got weights alone (no model_config); save it with model.save")
    texts = {"model_config": _text(file.attrs["model_config"], "model_config")}
    reader = _Reader(size)
    weights = reader.child(file, "model_weights")
    version = file.attrs.get("keras_version", weights.attrs.get("keras_version"))
    if version is not None:
        texts["keras_version"] = _text(version, "keras_version")
    groups = []
    for name in _names(weights, "layer_names"):
        group = reader.child(weights, name)
        arrays = {path: reader.array(reader.child(group, path), path) for path in _names(group, "weight_names")}
        groups.append((name, name, arrays))
    return texts, groups


class _Reader:
    """Reads arrays from an HDF5 file, not more than its size allows, and follows no link out of it."""

    def __init__(self, file_bytes: int) -> None:
        self.bytes_left = min(_ARRAY_BYTES, _RATIO * file_bytes)
        self.objects_left = _OBJECTS

    def child(self, group: Any, path: str) -> Any:
        """Give the object at a path below a group, by hard links alone."""
        for name in filter(None, path.split("/")):
            if not isinstance(group, h5py.Group) or name not in group:
                raise RefusedError(f"the weights lack {path!r}")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise RefusedError(f"{path!r} of the weights is a link to another place, which is not followed")
            group = group[name]
        return group

    def arrays(self, group: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Array]]:
        """List every array below a group, by path."""
        if depth > _DEPTH:
            raise RefusedError(f"the weights are nested deeper than {_DEPTH} groups at {prefix!r}")
        for name in group:
            found, path = self.child(group, name), f"{prefix}{name}"
            self.objects_left -= 1
            if self.objects_left < 0:
                raise RefusedError(f"expected at most {_OBJECTS:,} objects in the weights, got more")
            if isinstance(found, h5py.Group):
                yield from self.arrays(found, f"{path}/", depth + 1)
            else:
                yield path, self.array(found, path)

    def array(self, dataset: Any, path: str) -> Array:
        """Read one array, if its declared type and size are acceptable."""
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise RefusedError(f"{path!r} of the weights is not an array")
        if dataset.external or dataset.is_virtual:
            raise RefusedError(f"{path!r} of the weights is stored in another file, which is not read")
        if dataset.dtype.kind not in "fiu" or dataset.ndim > _AXES:
            raise RefusedError(f"{path}: expected numbers, got {dataset.dtype} {list(dataset.shape)}")
        self.bytes_left -= dataset.size * dataset.dtype.itemsize
        if self.bytes_left < 0:
            raise RefusedError(f"{path}: {list(dataset.shape)} is more than a file of this size can contain")
        return np.asarray(dataset[()])


def _names(group: Any, attribute: str) -> list[str]:
    """Read a list of names, which Keras splits into attributes `NAME0`, `NAME1`, ... when it is long."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        keys = sorted((k for k in group.attrs if re.fullmatch(rf"{attribute}\d{{1,4}}", k)), key=lambda k: (len(k), k))
        parts = [group.attrs[key] for key in keys]
    names = [_text(name, attribute) for part in parts for name in np.asarray(part, object).reshape(-1)]
    if len(set(names)) != len(names):
        raise RefusedError(f"{attribute}: expected different names, got one twice")
    return names


def _text(value: Any, place: str) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str) or len(value) > _TEXT:
        raise RefusedError(f"{place}: expected text, got {type(value).__name__}")
    return str(value)


def _answer(texts: dict[str, str], groups: list[tuple[str, str, dict[str, Array]]]) -> None:
    """Write a line of JSON that says what follows, then the arrays, little-endian and in C order."""
    plain = [
        (key, name, {path: a.astype(a.dtype.newbyteorder("<"), order="C") for path, a in arrays.items()})
        for key, name, arrays in groups
    ]
    said = [[key, name, [[p, a.dtype.str, list(a.shape)] for p, a in arrays.items()]] for key, name, arrays in plain]
    out = sys.stdout.buffer
    out.write(json.dumps({"texts": texts, "groups": said}).encode() + b"\n")
    for _, _, arrays in plain:
        for array in arrays.values():
            out.write(array.tobytes())


def _refuse(reason: str) -> None:
    print(" ".join(reason.split())[:2000])
    raise SystemExit(REFUSED)


def _warm_up() -> None:
    """Load everything that is loaded on first use: no file can be opened later."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["a/b"] = np.zeros((2, 2), np.float16)
        file.attrs["names"] = [b"a"]
        file.attrs["text"] = "a"
    with h5py.File(buffer, "r") as file:
        _ = file.attrs["text"], file.attrs["names"], dict(_Reader(2**20).arrays(file["a"]))


def _limit(size: int) -> None:
    """Forbid files and core dumps, and limit memory and time from here on; on Linux."""
    if sys.platform != "linux":
        return
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: taken + MEMORY_BYTES + 2 * size + 4 * min(_ARRAY_BYTES, _RATIO * size),
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main(sys.argv[1])
