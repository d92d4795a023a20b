"""`predict` on the device reads any table as training did, without an option, and answers for its very samples."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import onnx
from hypothesis import HealthCheck, assume, given, settings

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.export.pack import pack
from edgelstm.runtime import load
from tests.data.readers.any_table import written_tables


def file_for(path, column, reading):
    """The bytes of a model file, its one channel called like a column, its table read in some way."""
    predictor = load(path)
    inputs, outputs = (
        (one[0]._replace(name=column),) for one in (predictor.contract.inputs, predictor.contract.outputs)
    )
    contract = replace(
        predictor.contract,
        inputs=inputs,
        outputs=outputs,
        reading=reading,
        sample_period_s=reading.rhythm.period_s,
    )
    return pack(onnx.load(path), contract, predictor.golden)[0]


def utc(text):
    moment = datetime.fromisoformat(text)
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=written_tables(rows=30))
def test_predict_answers_for_the_samples_of_any_table(window_files, cli_here, tmp_path, table):
    assume(not np.isnan(table.values[:, 0]).any())
    column, path = table.columns[0], tmp_path / "table.csv"
    path.write_bytes(table.content)
    asking = Asking(columns=(column,), targets=(column,), time=table.time, time_zone=table.zone, **table.options)
    (tmp_path / "file.onnx").write_bytes(file_for(window_files.fp32, column, read(path, asking).reading))
    result = cli_here("predict", "file.onnx", "table.csv", "--all")
    assert result.returncode == 0, result.stderr
    rows = [row for row in csv.DictReader(io.StringIO(result.stdout)) if row["step"] == "1"]
    assert [utc(row["origin"]) for row in rows] == table.times[23:].tolist()
    windows = np.lib.stride_tricks.sliding_window_view(table.values[:, 0], 24)[..., np.newaxis]
    expected = load(tmp_path / "file.onnx").predict(windows)[:, 0, 0]
    np.testing.assert_array_equal([np.float32(row[column]) for row in rows], expected)
