#!/usr/bin/env bash
# Install edgelstm and a model file on a Raspberry Pi with a 64-bit system:
#   ./install.sh edgelstm-VERSION-py3-none-any.whl MODEL.onnx [FOLDER]
# FOLDER (default: /opt/edgelstm) must exist and be yours. Nothing here needs root, and root is refused.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../service/steps.sh
. "$here/../service/steps.sh"

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    refuse "usage: install.sh WHEEL MODEL.onnx [FOLDER]"
fi
refuse_unsupported "$(uname -m)" "$(getconf LONG_BIT)" /etc
refuse_root "$(id -u)"
python_version 311 313 > /dev/null
install_all "$here/requirements.txt" "$here/../service" "$@"
