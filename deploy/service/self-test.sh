#!/usr/bin/env bash
# Does this machine compute what was trained? Exit status 0: yes.   self-test.sh [MODEL.onnx]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export ORT_DISABLE_TELEMETRY=1
"$here/venv/bin/edgelstm" verify "${1:-$here/model.onnx}"
