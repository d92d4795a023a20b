"""Ways to alter a model file: on its bytes, on its protobuf fields, and on what the fields mean.

Each mutation takes a `random.Random` and what it alters, and is deterministic. Those on meaning keep the file
consistent where they can (a tensor's bytes follow its shape), so that they get past the reader and reach onnxruntime.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct

from edgelstm.runtime.file.structure import OPERATORS
from tests.attack.tree import Field, join, messages, parse, varint

_DIGEST = b"\x0a\x0fedgelstm.digest\x12\x40"
_NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    17,
    64,
    255,
    1000,
    2**16,
    2**20,
    2**31 - 1,
    2**31,
    2**32,
    2**32 + 1,
    2**62,
    2**63,
)
_NUMBERS += (2**64 - 1, 2**64 - 2, 2**64 - 8)
_FOREIGN = (
    "If",
    "Loop",
    "Scan",
    "RandomNormal",
    "StringNormalizer",
    "SequenceAt",
    "NonZero",
    "Resize",
    "GRUX",
    "EPContext",
)
_OPERATORS = (*sorted(OPERATORS[""]), *_FOREIGN)
_ELEMENT_BYTES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8}


def mutate(random, content, other, canaries):
    """Alter a file in one to three ways.

    Args:
        random: decides everything.
        content: a good file.
        other: another good file, to splice with.
        canaries: paths that a tensor may be told to read.

    Returns:
        The names of the mutations, and the bytes.
    """
    names = []
    for _ in range(random.choices((1, 2, 3), (6, 3, 1))[0]):
        kind = random.choices(("bytes", "fields", "meaning"), (2, 3, 5))[0]
        try:
            if kind == "bytes":
                change = random.choice(_ON_BYTES)
                content = change(random, content)
            else:
                tree = parse(content)
                change = random.choice(_ON_FIELDS if kind == "fields" else _ON_MEANING)
                change(random, tree, other, canaries)
                content = join(tree)
        except (IndexError, AttributeError, ValueError, struct.error):  # an earlier mutation left no such place
            break
        names.append(change.__name__.strip("_"))
    return names, content


def reseal(content):
    """Make the digest right, if there is one."""
    start = content.rfind(_DIGEST) + len(_DIGEST)
    if start < len(_DIGEST) or start + 64 > len(content):
        return content
    digest = hashlib.sha256(content[:start] + content[start + 64 :]).hexdigest()
    return content[:start] + digest.encode() + content[start + 64 :]


# On bytes.


def _flip_bits(random, content):
    altered = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        altered[random.randrange(len(altered))] ^= 1 << random.randrange(8)
    return bytes(altered)


def _insert_bytes(random, content):
    place = random.randrange(len(content) + 1)
    return content[:place] + random.randbytes(random.choice((1, 2, 8, 64))) + content[place:]


def _delete_bytes(random, content):
    place = random.randrange(len(content))
    return content[:place] + content[place + random.choice((1, 2, 8, 64)) :]


def _truncate(random, content):
    return content[: random.randrange(len(content))]


def _overwrite(random, content):
    place = random.randrange(len(content))
    block = random.choice((b"\0", b"\xff", random.randbytes(1))) * random.choice((1, 4, 16))
    return (content[:place] + block + content[place + len(block) :])[: len(content)]


# On fields.


def _pick_list(random, tree):
    """A list of fields, each kind of message as often as any other."""
    found = {}
    for message, fields in messages(tree):
        if fields:
            found.setdefault(message, []).append(fields)
    return random.choice(found[random.choice(sorted(found))])


def _duplicate_field(random, tree, other, canaries):
    fields = _pick_list(random, tree)
    fields.insert(random.randrange(len(fields) + 1), random.choice(fields).copy())


def _remove_field(random, tree, other, canaries):
    fields = _pick_list(random, tree)
    del fields[random.randrange(len(fields))]


def _reorder_fields(random, tree, other, canaries):
    random.shuffle(_pick_list(random, tree))


def _swap_fields(random, tree, other, canaries):
    fields = _pick_list(random, tree)
    a, b = random.randrange(len(fields)), random.randrange(len(fields))
    fields[a], fields[b] = fields[b], fields[a]


def _renumber_field(random, tree, other, canaries):
    random.choice(_pick_list(random, tree)).number = random.choice((*range(1, 27), 2**29 - 1))


def _change_number(random, tree, other, canaries):
    numbers = [field for _, fields in messages(tree) for field in fields if field.wire_type == 0]
    random.choice(numbers).value = random.choice(_NUMBERS)


def _lie_about_length(random, tree, other, canaries):
    fields = [field for field in _pick_list(random, tree) if field.wire_type == 2]
    random.choice(fields).lie = random.choice((-1, 1, 2, 100, 2**20, 2**31, 2**40))


def _change_text(random, tree, other, canaries):
    texts = [f for f in _pick_list(random, tree) if f.wire_type == 2 and not f.message]
    random.choice(texts).value = random.choice(
        (b"", b"x", b"y", b"h0", b"\xff\xfe", b"n" * 2000, b"a\0b", b"../../etc/passwd")
    )


def _splice_subtree(random, tree, other, canaries):
    fields = _pick_list(random, tree)
    place = random.randrange(len(fields))
    there = [f for _, found in messages(parse(other)) for f in found if f.number == fields[place].number]
    same = [f for f in there if f.message == fields[place].message and f.wire_type == fields[place].wire_type]
    fields[place] = random.choice(same).copy()


def _splice_files(random, tree, other, canaries):
    there = parse(other)
    cut, theirs = random.randrange(len(tree)), random.randrange(len(there))
    tree[cut:] = there[theirs:]


# On meaning.


def _graph(random, tree):
    return random.choice([field for field in tree if field.message == "graph"])


def _all(tree, message):
    return [field for _, fields in messages(tree) for field in fields if field.message == message]


def _swap_operator(random, tree, other, canaries):
    random.choice([n.first(4) for n in _all(tree, "node") if n.first(4)]).value = random.choice(_OPERATORS).encode()


def _change_attribute(random, tree, other, canaries):
    attribute = random.choice(_all(tree, "attribute"))
    value = random.choice([f for f in attribute.value if f.number in (2, 3, 4, 7, 8, 9)])
    if value.wire_type == 0:
        value.value = random.choice(_NUMBERS)
    elif value.wire_type == 5:
        value.value = struct.pack("<f", random.choice((0.0, -1.0, 1e30, math.inf, math.nan)))
    else:
        value.value = random.choice((b"reverse", b"bidirectional", b"forward", b"Relu", b"Affine", b"nothing", b""))


def _drop_attribute(random, tree, other, canaries):
    node = random.choice([n for n in _all(tree, "node") if any(f.number == 5 for f in n.value)])
    node.value.remove(node.first(5))


def _borrow_attribute(random, tree, other, canaries):
    node, attribute = random.choice(_all(tree, "node")), random.choice(_all(parse(other), "attribute"))
    node.value.append(Field(5, 2, attribute.copy().value, "attribute"))


def _invent_attribute(random, tree, other, canaries):
    """An attribute that many operators know, with an odd value of the right type."""
    name = random.choice(
        (b"axis", b"perm", b"to", b"batch_dims", b"hidden_size", b"keepdims", b"transA", b"clip", b"axes")
    )
    name = random.choice(
        (name, b"kernel_shape", b"strides", b"pads", b"group", b"blocksize", b"largest", b"input_forget")
    )
    many = name in (b"perm", b"kernel_shape", b"strides", b"pads", b"axes")
    values = [
        Field(8 if many else 3, 0, random.choice(_NUMBERS))
        for _ in range(random.choice((0, 1, 2, 3, 6)) if many else 1)
    ]
    made = [Field(1, 2, name), *values, Field(20, 0, 7 if many else 2)]
    random.choice(_all(tree, "node")).value.append(Field(5, 2, made, "attribute"))


def _rewire(random, tree, other, canaries):
    """Give a node another value that exists."""
    nodes = _all(tree, "node")
    names = [f.value for n in nodes for f in n.value if f.number in (1, 2)] + [b""]
    node = random.choice(nodes)
    random.choice([f for f in node.value if f.number == 1]).value = random.choice(names)


def _more_inputs(random, tree, other, canaries):
    nodes = _all(tree, "node")
    names = [f.value for n in nodes for f in n.value if f.number == 1] + [b""]
    node = random.choice(nodes)
    node.value[0:0] = [Field(1, 2, random.choice(names)) for _ in range(random.choice((1, 2, 12)))]


def _fewer_inputs(random, tree, other, canaries):
    node = random.choice(_all(tree, "node"))
    node.value.remove(random.choice([f for f in node.value if f.number == 1]))


def _more_outputs(random, tree, other, canaries):
    random.choice(_all(tree, "node")).value.append(Field(2, 2, b"made%d" % random.randrange(10**6)))


def _insert_node(random, tree, other, canaries):
    """A node between a value and the node that takes it."""
    graph = _graph(random, tree)
    place = random.choice([i for i, f in enumerate(graph.value) if f.message == "node" and f.first(1)])
    taken = random.choice([f for f in graph.value[place].value if f.number == 1])
    names = [f.value for n in _all(tree, "tensor") for f in n.value if f.number == 8]
    inputs = [taken.value, *(random.choice(names) for _ in range(random.choice((0, 0, 1, 2))))]
    taken.value = b"made%d" % random.randrange(10**6)
    fields = [
        *(Field(1, 2, name) for name in inputs),
        Field(2, 2, taken.value),
        Field(4, 2, random.choice(_OPERATORS).encode()),
    ]
    graph.value.insert(place, Field(1, 2, fields, "node"))


def _tensor(random, tree):
    tensors = [t for t in _all(tree, "tensor") if t.first(2) and t.first(9)]
    return random.choice(tensors)


def _resize(random, tree, other, canaries):
    """Another shape, and as many bytes as it needs, if they are not too many."""
    tensor = _tensor(random, tree)
    dims = [f.value for f in tensor.value if f.number == 1]
    if dims and random.random() < 0.7:
        dims[random.randrange(len(dims))] = random.choice((0, 1, 2, 3, 5, 17, 64))
    else:
        dims = random.choice(([], [0], [1], [*dims, 1], [1, *dims], dims[1:], dims[::-1], [2] * 8, [0, 2**31 - 1]))
    size = math.prod(dims) * _ELEMENT_BYTES.get(tensor.first(2).value, 1)
    data = tensor.first(9)
    if size <= 2**20:
        data.value = (data.value * (size // max(len(data.value), 1) + 1))[:size].ljust(size, b"\0")
    tensor.value[:] = [*(Field(1, 0, dim) for dim in dims), *(f for f in tensor.value if f.number != 1)]


def _retype(random, tree, other, canaries):
    """Another element type, and as many bytes as it needs."""
    tensor = _tensor(random, tree)
    tensor.first(2).value = random.choice((*_ELEMENT_BYTES, 8, 16))
    elements = math.prod(f.value for f in tensor.value if f.number == 1)
    size = elements * _ELEMENT_BYTES.get(tensor.first(2).value, 1)
    if size <= 2**20:
        tensor.first(9).value = tensor.first(9).value[:size].ljust(size, b"\1")


def _odd_values(random, tree, other, canaries):
    """NaN, infinities, zeros, huge and negative numbers in a tensor."""
    tensor = _tensor(random, tree)
    kind = tensor.first(2).value
    if kind in (1, 11, 10):
        value = random.choice((math.nan, math.inf, -math.inf, 0.0, 1e30 if kind != 10 else 6e4, -1.0))
        packed = struct.pack({1: "<f", 11: "<d", 10: "<e"}[kind], value)
    else:
        packed = (random.choice(_NUMBERS) % 2**64).to_bytes(8, "little")[: _ELEMENT_BYTES.get(kind, 1)]
    data = tensor.first(9)
    count = len(data.value) // len(packed)
    if random.random() < 0.5:
        data.value = packed * count
    else:
        place = random.randrange(count) * len(packed)
        data.value = data.value[:place] + packed + data.value[place + len(packed) :]


def point_outside(random, tree, other, canaries):
    """Old-style external data: a tensor that names a file."""
    tensor = _tensor(random, tree)
    data = tensor.first(9)
    parts = [(b"location", random.choice(canaries)), (b"offset", b"0"), (b"length", b"%d" % len(data.value))]
    parts = parts[: random.choice((1, 3))]
    entries = [Field(13, 2, bytes([10]) + varint(len(k)) + k + bytes([18]) + varint(len(v)) + v) for k, v in parts]
    if random.random() < 0.7:
        tensor.value.remove(data)
    tensor.value += entries
    if random.random() < 0.8:
        tensor.value.append(Field(14, 0, 1))


def _add_subgraph(random, tree, other, canaries):
    graph = Field(6, 2, join(_graph(random, parse(other)).value))
    name = random.choice((b"body", b"then_branch", b"else_branch"))
    attribute = [Field(1, 2, name), graph, Field(20, 0, 5)]
    node = random.choice(_all(tree, "node"))
    node.value.append(Field(5, 2, attribute, "attribute"))
    if node.first(4) and random.random() < 0.7:
        node.first(4).value = random.choice((b"If", b"Loop", b"Scan"))


def _add_function(random, tree, other, canaries):
    name = random.choice([n.first(4).value for n in _all(tree, "node") if n.first(4)])
    tree.append(Field(25, 2, bytes([10]) + varint(len(name)) + name))


def _change_value_info(random, tree, other, canaries):
    dim = random.choice(_all(tree, "dim"))
    dim.value[:] = random.choice(([Field(1, 0, random.choice(_NUMBERS))], [Field(2, 2, b"N")], []))


def _change_metadata(random, tree, other, canaries):
    """Another number in the contract or the golden vectors."""
    entry = random.choice(
        [e for e in _all(tree, "entry") if e.first(1).value in (b"edgelstm.contract", b"edgelstm.golden")]
    )
    value = json.loads(entry.first(2).value)
    place = value
    while isinstance(place, (dict, list)) and place:
        holder, key = place, random.choice(list(place) if isinstance(place, dict) else range(len(place)))
        place = place[key]
    holder[key] = random.choice(
        (None, True, 0, 1, 2, 7, 2**40, -1, 1e300, "", "carried", "int8w", [], {}, 2**70, "class", 0.5)
    )
    entry.first(2).value = json.dumps(value).encode()


_ON_BYTES = (_flip_bits, _insert_bytes, _delete_bytes, _truncate, _overwrite)
_ON_FIELDS = (
    _duplicate_field,
    _remove_field,
    _reorder_fields,
    _swap_fields,
    _renumber_field,
    _change_number,
    _lie_about_length,
    _change_text,
    _splice_subtree,
    _splice_files,
)
_ON_MEANING = (
    _swap_operator,
    _change_attribute,
    _drop_attribute,
    _borrow_attribute,
    _invent_attribute,
    _rewire,
    _more_inputs,
    _fewer_inputs,
    _more_outputs,
    _insert_node,
    _resize,
    _retype,
    _odd_values,
    point_outside,
    _add_subgraph,
    _add_function,
    _change_value_info,
    _change_metadata,
)
