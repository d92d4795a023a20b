"""See whether anybody opens a file, and prove that it would be seen. Linux: inotify."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from random import Random

import onnxruntime

from tests.attack.fresh import model_file
from tests.attack.tree import join, parse

_OPENED, _READ = 0x20, 0x1  # IN_OPEN, IN_ACCESS of inotify(7)


class Watch:
    """Count how often files are opened or read, by whatever process, until it is closed."""

    def __init__(self, paths):
        self._library = ctypes.CDLL(None, use_errno=True)
        self._handle = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for path in paths:
            if self._library.inotify_add_watch(self._handle, os.fsencode(path), _OPENED | _READ) < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._handle)

    def opened(self):
        """How many events came since the last call."""
        count = 0
        while select.select([self._handle], [], [], 0)[0]:
            content, place = os.read(self._handle, 65536), 0
            while place < len(content):
                count += 1
                place += 16 + struct.unpack_from("I", content, place + 12)[0]
        return count


def prove(folder, canaries, files=30):
    """Open a canary plainly, and hand files that name one to onnxruntime without our reader; how often it was seen."""
    from tests.attack.attack import in_child
    from tests.attack.mutations import point_outside

    here = os.getcwd()
    os.chdir(folder / "work")
    counts = {"files": files}
    with Watch([folder / "work" / "canary.bin", folder / "outside" / "canary.bin"]) as watch:
        with open("canary.bin", "rb") as file:
            file.read(1)
        counts["open"] = 1 if watch.opened() else 0
        counts["onnxruntime"] = 0
        for number in range(files):
            tree = parse(model_file())
            point_outside(Random(number), tree, b"", canaries)
            content = join(tree)
            in_child(lambda content=content: _raw(content))
            counts["onnxruntime"] += 1 if watch.opened() else 0
    os.chdir(here)
    if not counts["open"] or not counts["onnxruntime"]:
        raise RuntimeError(f"the watch does not see what it must: {counts}")
    return counts


def _raw(content):
    onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return "loaded", ""
