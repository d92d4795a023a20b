"""What contracts of other formats are read as."""

import json
from dataclasses import replace

import pytest

from edgelstm.contract import Contract
from edgelstm.errors import ContractError
from tests.contract.example import EXAMPLE, FROZEN, FROZEN_1, FROZEN_2


def test_a_contract_of_the_first_format_is_read_as_what_it_meant():
    contract = Contract.from_json(FROZEN_1)
    assert (contract.format_version, contract.answer, contract.times) == (1, "number", False)
    assert contract.reading is None
    assert contract.metrics[0].network["scaled_mae"] == 0.25
    assert replace(EXAMPLE, times=False).inputs[0] == contract.inputs[0]
    classifies = FROZEN_1.replace('"forecast"', '"classify"').replace('"horizon":3', '"horizon":1')
    assert Contract.from_json(classifies).answer == "class"


def test_a_contract_of_the_second_format_is_read_as_what_it_meant():
    contract = Contract.from_json(FROZEN_2)
    assert (contract.format_version, contract.reading, contract.many_series) == (2, None, False)
    assert all(c.category is None and c.origin == 0 for c in contract.inputs + contract.outputs)
    outputs = tuple(channel._replace(origin=0.0) for channel in EXAMPLE.outputs)
    meant = replace(EXAMPLE, format_version=2, reading=None, inputs=EXAMPLE.inputs[:2], outputs=outputs)
    assert contract == meant


@pytest.mark.parametrize("key", ["answer", "times"])
def test_the_first_format_does_not_know_later_keys(key):
    with pytest.raises(ContractError, match=f"unknown key '{key}' in a file of format 1"):
        Contract.from_json(FROZEN_1[:-1] + f',"{key}":true}}')
    with pytest.raises(ContractError, match="unknown key 'ahead' in a file of format 1"):
        Contract.from_json(FROZEN_1.replace('"categories"', '"ahead":0,"categories"'))


def test_the_second_format_does_not_know_later_keys():
    for key in ("reading", "many_series"):
        with pytest.raises(ContractError, match=f"contract: unknown key '{key}' in a file of format 2"):
            Contract.from_json(FROZEN_2[:-1] + f',"{key}":null}}')
    for key in ("category", "origin"):
        later = json.loads(FROZEN_2)
        later["outputs"][0][key] = None
        with pytest.raises(ContractError, match=rf"contract.outputs\[0\]: unknown key '{key}' in a file of format 2"):
            Contract.from_json(json.dumps(later))
    quantized = FROZEN_2.replace('"head":"fp32"', '"head":"fp32","highway":"fp32"')
    with pytest.raises(ContractError, match=r"contract.quantization: unknown key 'highway' in a file of format 2"):
        Contract.from_json(quantized)


@pytest.mark.parametrize("version", [4, 99, 10**30])
def test_a_newer_format_is_told_before_anything_else_is_looked_at(version):
    with pytest.raises(ContractError, match=f"this file has format {version}, this edgelstm reads up to 3; upgrade"):
        Contract.from_json(json.dumps({"format_version": version, "what": "a later edgelstm may write"}))


@pytest.mark.parametrize("version", [0, -1])
def test_a_format_that_never_was_is_refused(version):
    with pytest.raises(ContractError, match="format_version"):
        Contract.from_json(json.dumps({**json.loads(FROZEN), "format_version": version}))
