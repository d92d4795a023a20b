import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edgelstm.errors import OutputError
from edgelstm.files import write_all_whole, write_whole
from tests.conftest import ROOT


def child(code, *arguments):
    """Start Python with that code; standard output is a pipe of text."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_lies_there_as_given_and_nothing_beside_it(tmp_path):
    write_whole(tmp_path / "a" / "b.bin", b"\0new\n")
    assert contents(tmp_path) == {"a/b.bin": b"\0new\n"}


def test_an_older_file_is_replaced(tmp_path):
    (tmp_path / "a").write_bytes(b"a much longer old content")
    write_whole(tmp_path / "a", b"new")
    assert contents(tmp_path) == {"a": b"new"}


def test_a_path_may_be_relative_and_bare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_whole(Path("bare"), b"new")
    assert contents(tmp_path) == {"bare": b"new"}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_mode_is_what_the_umask_leaves(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "a", b"new")
        assert os.umask(umask) == umask, "the umask of the process was left changed"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_everything_is_flushed_to_the_disk_before_the_first_file_appears(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (done.append("flush"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append("move"), replace(old, new)))
    write_all_whole({tmp_path / name: name.encode() * 1000 for name in "abc"})
    assert done == ["flush"] * 3 + ["move"] * 3 + ["flush"]


def test_a_full_disk_leaves_what_stood_there_and_says_so(tmp_path):
    (tmp_path / "a").write_bytes(b"old a")
    code = """
        import resource, sys
        from pathlib import Path
        from edgelstm.errors import OutputError
        from edgelstm.files import write_all_whole
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # a write beyond fails, as on a full disk
        folder = Path(sys.argv[1])
        try:
            write_all_whole({folder / "a": b"new a", folder / "b": b"b" * 5000, folder / "c": b"c"})
        except OutputError as error:
            print(error)
    """
    process = child(code, tmp_path)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.startswith(f"cannot write {tmp_path / 'b'}: ")
    assert said.endswith("nothing was changed\n")
    assert contents(tmp_path) == {"a": b"old a"}


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_while_writing_leaves_the_old_file(tmp_path, moment):
    (tmp_path / "a").write_bytes(b"old")
    code = """
        import os, sys, time
        from pathlib import Path
        from edgelstm.files import write_whole
        setattr(os, sys.argv[2], lambda *arguments: (print("now", flush=True), time.sleep(60)))
        write_whole(Path(sys.argv[1]) / "a", b"new" * 100_000)
    """
    process = child(code, tmp_path, moment)
    with process:
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_kill_at_any_moment_leaves_one_whole_file(tmp_path):
    code = """
        import itertools, sys
        from pathlib import Path
        from edgelstm.files import write_whole
        for turn in itertools.count():
            write_whole(Path(sys.argv[1]) / "a", bytes([turn % 256]) * 1_000_000)
            print(turn, flush=True)
    """
    for turns in range(3):
        process = child(code, tmp_path)
        with process:
            for _ in range(turns * 3 + 1):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        content = (tmp_path / "a").read_bytes()
        assert content == content[:1] * 1_000_000


def test_an_interrupt_while_writing_leaves_no_litter(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_all_whole({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert contents(tmp_path) == {"a": b"old"}


def test_a_folder_in_the_way_leaves_every_file_as_it_was(tmp_path):
    (tmp_path / "a").write_bytes(b"old a")
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError, match=r"b: .*; nothing was changed"):
        write_all_whole({tmp_path / "a": b"new a", tmp_path / "b": b"new b"})
    assert contents(tmp_path) == {"a": b"old a"}


def test_a_file_in_the_place_of_a_folder_is_an_output_error(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OutputError, match="cannot write") as caught:
        write_all_whole({tmp_path / "c": b"new", tmp_path / "a" / "b": b"new"})
    assert isinstance(caught.value, OSError)
    assert contents(tmp_path) == {"a": b"old"}


def test_a_name_too_long_for_the_disk_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / ("n" * 300), b"new")
    assert contents(tmp_path) == {}


def test_nothing_to_write_is_no_error(tmp_path):
    write_all_whole({})
    assert contents(tmp_path) == {}
