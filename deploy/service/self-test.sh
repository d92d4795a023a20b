#!/usr/bin/env bash
# Check that this device is sound and reproduces the results at export. Exit status 0: yes.   self-test.sh [MODEL.onnx]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
model=${1:-$here/model.onnx}
export ORT_DISABLE_TELEMETRY=1
"$here/venv/bin/edgelstm" doctor
"$here/venv/bin/edgelstm" verify "$model"
