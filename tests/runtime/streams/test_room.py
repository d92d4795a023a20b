"""The buffers of a call, whatever axis of a state is the batch."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from edgelstm.contract import StateTensor
from edgelstm.runtime.streams.room import make_room, make_turns, rows_of
from tests.runtime.timed import make_contract

make = partial(make_contract, lengths=False, precision="fp32", inputs=("a", "b"), period_s=10.0)
SHAPES = [(1, "B", 3), (2, "B", 3), ("B", 4), (2, 3, "B"), ("B",)]


@pytest.fixture(params=SHAPES, ids=str)
def contract(request):
    contract = make("carried")
    return replace(contract, states=(StateTensor("h0", "h0_out", request.param, "float32"),))


@pytest.fixture
def axis(contract):
    return contract.states[0].shape.index("B")


def test_a_row_that_is_run_by_itself_is_one_piece_of_memory_and_a_part_of_the_whole(contract, axis):
    room = make_room(contract, 5, apart=True)
    for row in range(5):
        part = rows_of(contract, room, row, row + 1)
        for buffer in (*part.given.values(), part.y, *part.old.values(), *part.new.values(), part.lengths):
            assert buffer.flags.c_contiguous
        part.old["h0"][...] = row
        part.new["h0"][...] = -row
    for kept, sign in ((room.old, 1), (room.new, -1)):
        rows = np.moveaxis(kept["h0"], axis, 0).reshape(5, -1)
        assert (rows == sign * np.arange(5)[:, np.newaxis]).all()


@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_rows_of_one_call_are_packed_as_the_graph_takes_them_in_memory_that_all_calls_share(contract, axis, count):
    room = make_room(contract, 5, apart=False)
    part = rows_of(contract, room, 0, count)
    assert part.old["h0"].shape[axis] == count
    for buffer, whole in ((part.old["h0"], room.old["h0"]), (part.y, room.y), (part.given["x"], room.given["x"])):
        assert buffer.flags.c_contiguous
        assert np.shares_memory(buffer, whole)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("state", ["window", "carried"])
def test_of_two_turns_each_reads_what_the_other_keeps(state, apart):
    one, other = make_turns(make(state), 3, apart)
    assert one.old.keys() == one.new.keys()
    for name in one.old:
        assert one.old[name] is other.new[name]
        assert one.new[name] is other.old[name]
        assert not np.shares_memory(one.old[name], one.new[name])
    for name in one.given.keys() & one.new.keys():
        assert one.given[name] is one.new[name]
        assert other.given[name] is other.new[name]
