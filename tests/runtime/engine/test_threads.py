"""How many threads work inside one call."""

from __future__ import annotations

import onnx
import pytest

from edgelstm.errors import InputError
from edgelstm.host import available_cores, cgroup_cores
from edgelstm.runtime import load
from edgelstm.runtime.engine import threads as choosing
from edgelstm.runtime.engine.threads import choose_threads
from edgelstm.runtime.file.summary import recurrent_width


def test_the_width_is_the_hidden_size_that_the_onnx_package_reads(path):
    model = onnx.load(path)
    sizes = [a.i for node in model.graph.node for a in node.attribute if a.name == "hidden_size"]
    assert recurrent_width(path.read_bytes()) == max(sizes) == 8


def test_a_narrow_network_gets_one_thread_and_a_wide_one_two_where_there_are_cores(window_files, monkeypatch):
    assert load(window_files.fp32).threads == 1
    monkeypatch.setattr(choosing, "WIDE", 8)
    for cores, expected in ((1, 1), (0.5, 1), (1.5, 1), (2, 2), (64, 2)):
        monkeypatch.setattr(choosing, "available_cores", lambda cores=cores: cores)
        assert load(window_files.fp32).threads == choose_threads(window_files.fp32.read_bytes()) == expected


def test_a_number_of_threads_that_is_given_is_taken(window_files):
    assert load(window_files.fp32, threads=2).threads == 2
    assert load(window_files.fp32, threads=2)._session.get_session_options().intra_op_num_threads == 2


@pytest.mark.parametrize("threads", [0, -1, 1.0, "2", True])
def test_a_number_of_threads_that_is_none_is_refused(window_files, threads):
    with pytest.raises(InputError, match="threads: expected a whole number of at least 1, got"):
        load(window_files.fp32, threads=threads)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_the_processor_time_of_a_container_is_read_from_its_cgroup(tmp_path, files, cores):
    for name, content in files.items():
        place = tmp_path / "sys/fs/cgroup" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content + "\n")
    assert cgroup_cores(tmp_path) == cores
    assert available_cores(tmp_path) <= (cores or 10_000)
