"""Alter a model file and make its digest right again, by other means than the exporter's."""

from __future__ import annotations

import hashlib
import json

import onnx

_MARK = "#" * 64


def resealed(model):
    """Serialize a model with a fresh digest: SHA-256 over everything but the digits, found by a mark in their place."""
    entry(model, "edgelstm.digest").value = _MARK
    content = model.SerializeToString(deterministic=True)
    digest = hashlib.sha256(content.replace(_MARK.encode(), b"")).hexdigest()
    return content.replace(_MARK.encode(), digest.encode())


def entry(model, key):
    """The metadata entry of that key."""
    return next(entry for entry in model.metadata_props if entry.key == key)


def altered(path, key, change):
    """The bytes of a model file whose metadata `key`, a JSON object, went through `change`, with a right digest."""
    model = onnx.load(path)
    value = json.loads(entry(model, key).value)
    change(value)
    entry(model, key).value = json.dumps(value)
    return resealed(model)
