"""Write files completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from edgelstm.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write one file beside its place and move it there when complete; see `write_all_whole`."""
    write_all_whole({path: content})


def write_all_whole(contents: Mapping[Path, bytes], private: Collection[Path] = ()) -> None:
    """Write several files; none of them appears before all are complete on the disk.

    Each is written beside its place, flushed to the disk, and renamed only when all are complete: after a full disk or
    a kill, the old files are still there. Folders are created as needed.

    Args:
        contents: what to write, by path.
        private: the paths that only their owner may read and write (mode 0600).

    Raises:
        OutputError: a folder or file cannot be written; the message names what was changed, usually nothing.

    Example:
        >>> import tempfile; folder = Path(tempfile.mkdtemp())
        >>> write_all_whole({folder / "a" / "b.txt": b"whole"})
        >>> (folder / "a" / "b.txt").read_bytes()
        b'whole'
    """
    waiting: dict[Path, Path] = {}
    made: list[Path] = []
    moved: list[Path] = []
    path = Path()
    try:
        for path, content in contents.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
            made += [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting[path] = _write_beside(path, content, path in private)
        for path, temporary in waiting.items():
            os.replace(temporary, path)
            moved.append(path)
        for folder in {path.parent for path in contents}:
            _flush_folder(folder)
    except OSError as error:
        changed = ", ".join(map(str, moved)) or "nothing"
        raise OutputError(f"cannot write {path}: {error.strerror or error}; {changed} was changed") from error
    finally:
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)
        for folder in made:  # deepest first; a folder that holds a file stays
            with contextlib.suppress(OSError):
                folder.rmdir()


def _write_beside(path: Path, content: bytes, private: bool) -> Path:
    """Write to a new temporary file in the same folder, flushed to the disk; it is private from the start."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            os.chmod(name, 0o666 & ~_umask())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return Path(name)


def _flush_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
