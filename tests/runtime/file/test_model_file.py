import hashlib
import os

import onnx
import pytest

from edgelstm.errors import ContractError, InputError, ModelFileError, ModelFileNotFoundError
from edgelstm.runtime import Predictor, load, parse_model_file, read_model_file
from edgelstm.runtime.file.model_file import compute_digest, digest_span
from tests.resealed import altered, entry, resealed

CONTRACT, GOLDEN, DIGEST = "edgelstm.contract", "edgelstm.golden", "edgelstm.digest"


@pytest.fixture(scope="module")
def content(window_files):
    return window_files.fp32.read_bytes()


@pytest.fixture
def model(content):
    return onnx.ModelProto.FromString(content)


def test_a_good_file_gives_its_parts(path):
    file = read_model_file(path)
    model = onnx.load(path)
    assert file.content == path.read_bytes()
    assert file.contract.to_json() == entry(model, CONTRACT).value
    assert file.golden.to_json() == entry(model, GOLDEN).value
    assert file.digest == entry(model, DIGEST).value
    assert file.digest == hashlib.sha256(file.content.replace(file.digest.encode(), b"")).hexdigest()


def test_the_digest_lies_where_it_is_said_to_lie(content, model):
    start, end = digest_span(content)
    assert content[start:end].decode() == entry(model, DIGEST).value
    assert compute_digest(content, (start, end)) == entry(model, DIGEST).value


def test_a_file_with_a_digest_made_right_again_is_taken(content, model):
    assert resealed(model) == content


def test_a_path_may_be_text(window_files):
    assert read_model_file(str(window_files.fp32)).content == window_files.fp32.read_bytes()


def test_a_missing_file_is_told_as_such(tmp_path):
    with pytest.raises(ModelFileNotFoundError, match="file not found") as caught:
        read_model_file(tmp_path / "none.onnx")
    assert isinstance(caught.value, FileNotFoundError)
    assert str(tmp_path / "none.onnx") in str(caught.value)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_model_file(tmp_path)


def test_a_path_through_a_file_is_refused(window_files):
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_model_file(window_files.fp32 / "below")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(ModelFileError, match=r"empty\.onnx: the file is empty"):
        load(tmp_path / "empty.onnx")


def test_a_file_too_large_for_protobuf_is_refused_unread(tmp_path):
    path = tmp_path / "large.onnx"
    path.touch()
    os.truncate(path, 2**31)
    with pytest.raises(ModelFileError, match=f"at most {2**31 - 1} bytes, got {2**31}"):
        read_model_file(path)


@pytest.mark.parametrize(
    "text", [b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x03\x04", b"\0" * 100, b"{}\n" * 50]
)
def test_what_is_no_onnx_file_is_refused(text):
    with pytest.raises(ModelFileError, match="not an ONNX file"):
        parse_model_file(text)


def test_a_file_cut_at_any_byte_is_refused(content):
    for length in range(len(content)):
        with pytest.raises(ModelFileError, match=r"^cut: "):
            parse_model_file(content[:length], "cut")


def test_one_flipped_bit_in_any_byte_is_refused(content):
    damaged = bytearray(content)
    for place in range(len(content)):
        damaged[place] ^= 1 << place % 8
        with pytest.raises(ModelFileError, match=r"^flipped: "):
            parse_model_file(bytes(damaged), "flipped")
        damaged[place] = content[place]
    assert bytes(damaged) == content


@pytest.mark.parametrize("more", [b"\0", b"\n", b"\x72\x00", b"\x72\x06\x0a\x01a\x12\x01b"])
def test_bytes_behind_the_end_are_refused(content, more):
    with pytest.raises(ModelFileError):
        parse_model_file(content + more)


def test_an_onnx_file_of_somebody_else_is_told_so(model):
    del model.metadata_props[:]
    with pytest.raises(ModelFileError, match="without an edgelstm contract; only files written by `edgelstm export`"):
        parse_model_file(model.SerializeToString())


@pytest.mark.parametrize("key", [GOLDEN, DIGEST])
def test_a_file_without_one_of_its_entries_is_refused(model, key):
    model.metadata_props.remove(entry(model, key))
    with pytest.raises(ModelFileError, match=f"the metadata '{key}' is missing"):
        parse_model_file(model.SerializeToString())


@pytest.mark.parametrize("key", [CONTRACT, GOLDEN, DIGEST, "of.somebody.else"])
def test_a_metadata_key_given_twice_is_refused(model, key):
    for value in ("", "second"):
        model.metadata_props.add(key=key, value=value)
    with pytest.raises(ModelFileError, match=f"'{key}' occurs twice"):
        parse_model_file(resealed(model))


def test_metadata_of_somebody_else_is_left_alone(model):
    model.metadata_props.add(key="author", value="me")
    assert parse_model_file(resealed(model)).contract.name == "small"


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "g" * 64, "A" * 64, "\u0660" * 64])
def test_a_digest_that_is_no_digest_is_refused(model, digest):
    entry(model, DIGEST).value = digest
    with pytest.raises(ModelFileError, match="expected 64 hex digits"):
        parse_model_file(model.SerializeToString())


def test_another_digest_is_told_as_an_alteration(model):
    entry(model, DIGEST).value = "0" * 64
    with pytest.raises(ModelFileError, match="altered since export: recorded digest 000000000000"):
        parse_model_file(model.SerializeToString())


def test_bytes_are_no_path_and_are_not_printed(window_files):
    content = window_files.fp32.read_bytes()
    for given in (content, bytearray(content), memoryview(content)):
        with pytest.raises(InputError) as caught:
            load(given)
        text = str(caught.value)
        assert text.startswith(f"expected the path of a model file, got {len(content):,} bytes: ")
        assert len(text) < 200
    assert Predictor(parse_model_file(content)).contract.window == load(window_files.fp32).contract.window


@pytest.mark.parametrize("given", [None, 0, 3, True, 1.5, [], ["co2.fp32.onnx"], {}, object], ids=str)
def test_what_is_no_path_is_refused(given):
    for read in (load, read_model_file):
        with pytest.raises(InputError, match=rf"^expected the path of a model file, .* got {type(given).__name__}$"):
            read(given)


def test_a_newer_format_asks_for_an_upgrade(window_files):
    content = altered(window_files.fp32, CONTRACT, lambda contract: contract.update(format_version=4, later=True))
    with pytest.raises(ContractError, match=r"^here: contract: this file has format 4.* upgrade edgelstm"):
        parse_model_file(content, "here")


def test_a_damaged_contract_with_a_right_digest_is_a_contract_error(window_files):
    content = altered(window_files.fp32, CONTRACT, lambda contract: contract.pop("window"))
    with pytest.raises(ContractError, match=r"^here: contract: the key 'window' is missing"):
        parse_model_file(content, "here")


def test_metadata_that_is_no_text_is_refused(content):
    broken = content.replace(b'"name":"small"', b'"name":"\xff\xff\xff\xff\xff"')
    assert broken != content
    with pytest.raises(ModelFileError, match="the metadata is damaged"):
        parse_model_file(broken)


def test_metadata_longer_than_the_bound_is_refused(model):
    model.metadata_props.add(key="long", value="x" * (32 * 2**20 + 1))
    with pytest.raises(ModelFileError, match="'long' is longer than 33554432 bytes"):
        parse_model_file(resealed(model))


def test_more_metadata_entries_than_the_bound_are_refused(model):
    for number in range(253):
        model.metadata_props.add(key=str(number), value="")
    assert parse_model_file(resealed(model)).contract.window == 24
    model.metadata_props.add(key="one more", value="")
    with pytest.raises(ModelFileError, match="more than 256 metadata entries"):
        parse_model_file(resealed(model))


def test_a_file_that_onnxruntime_refuses_is_a_model_file_error(model, tmp_path):
    next(a for node in model.graph.node for a in node.attribute if a.name == "hidden_size").name = "no_such_attribute"
    (tmp_path / "foreign.onnx").write_bytes(resealed(model))
    with pytest.raises(ModelFileError, match="refuses the graph"):
        load(tmp_path / "foreign.onnx")
