"""A sample of `make attack`; the whole of it takes minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random

import onnx
import pytest
from google.protobuf.unknown_fields import UnknownFieldSet
from onnx import numpy_helper

from edgelstm.errors import ModelFileError
from edgelstm.runtime import parse_model_file
from edgelstm.runtime.file.structure import OPERATORS
from tests.attack.attack import originals
from tests.attack.canary import Watch
from tests.attack.mutations import mutate, reseal
from tests.attack.tree import Field, join, parse
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the watch is inotify, the limits of the children are Linux's"
)
FILES = 500


@pytest.fixture(scope="module")
def attack(tmp_path_factory):
    """What an attack with few files wrote."""
    output = tmp_path_factory.mktemp("attack")
    command = [sys.executable, "-m", "tests.attack.attack", "--files", str(FILES), "--workers", "1", "--seed", "7"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([*command, "--output", output], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((output / "attack.json").read_text())


def test_no_process_of_ours_dies_and_no_file_outside_is_opened(attack):
    assert attack["failed"] == []
    assert attack["opened_outside"] == 0
    assert sum(map(sum, attack["outcomes"].values())) == FILES


def test_the_watch_that_saw_nothing_sees_onnxruntime_read_such_a_file(attack):
    assert attack["control"]["open"] == 1
    assert attack["control"]["onnxruntime"] >= 1


def test_no_altered_file_with_its_old_digest_is_taken(attack):
    taken = {what: wrong for what, (wrong, _) in attack["outcomes"].items() if "refused by the reader" not in what}
    assert not any(taken.values()), taken


def test_every_stage_of_the_reader_is_tried_and_some_files_reach_onnxruntime(attack):
    for what, counts in attack["outcomes"].items():
        assert sum(counts) or "refused by the reader" not in what, what
    assert sum(attack["outcomes"]["in the child: answered, within tolerance"])


def test_a_tree_is_written_as_it_was_read_and_a_good_digest_stays():
    for content in originals().values():
        assert join(parse(content)) == content
        assert reseal(content) == content


@pytest.mark.parametrize("kind", ["number", "bytes", "message"])
def test_a_value_where_an_earlier_mutation_left_another_kind_of_field_is_no_mutation(kind):
    """Such a file once ended 500 others: a number was put into a name that had been given a number's place."""
    values = {"number": 7, "bytes": b"y", "message": [Field(1, 0, 7)]}
    field = Field(2, 0 if kind == "number" else 2, values[kind], "tensor" if kind == "message" else None)
    assert bytes(field)
    for other in values.keys() - {kind}:
        field.value = values[other]
        with pytest.raises(ValueError, match=r"expected \w+ in field 2, got \w+"):
            bytes(field)


def test_a_mutation_is_the_same_each_time():
    files = list(originals().values())
    for number in range(50):
        assert mutate(Random(number), files[0], files[1], [b"c"]) == mutate(Random(number), files[0], files[1], [b"c"])


def test_the_watch_sees_an_open_and_nothing_else(tmp_path):
    watched, beside = tmp_path / "watched", tmp_path / "beside"
    for path in (watched, beside):
        path.write_bytes(b"content")
    with Watch([watched]) as watch:
        beside.read_bytes()
        watched.stat()
        assert watch.opened() == 0
        watched.read_bytes()
        assert watch.opened() > 0
        assert watch.opened() == 0


def every_message(message):
    """A message and all in it, as protobuf itself reads them."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in value if not hasattr(value, "ListFields") else [value]:
                yield from every_message(inner)


def test_what_the_reader_takes_holds_nothing_hidden_for_protobuf_either():
    files, taken = list(originals().values()), 0
    for number in range(800):
        random = Random(f"hidden {number}")
        _, content = mutate(random, random.choice(files), random.choice(files), [b"../canary.bin", b"/etc/hostname"])
        try:
            parse_model_file(reseal(content))
        except ModelFileError:
            continue
        taken += 1
        model = onnx.ModelProto.FromString(content)
        kinds = {message.DESCRIPTOR.name for message in every_message(model)}
        graphs = sum(message.DESCRIPTOR.name == "GraphProto" for message in every_message(model))
        assert graphs == 1
        assert not kinds & {"FunctionProto", "SparseTensorProto", "TrainingInfoProto", "TensorAnnotation"}
        for message in every_message(model):
            assert not len(UnknownFieldSet(message))
            if isinstance(message, onnx.TensorProto):
                assert not message.external_data
                assert message.data_location == onnx.TensorProto.DEFAULT
                assert numpy_helper.to_array(message).shape == tuple(message.dims)
            if isinstance(message, onnx.NodeProto):
                assert message.op_type in OPERATORS[message.domain]
    assert taken > 100
