#!/usr/bin/env bash
# Install edgelstm and a model file on a Jetson with JetPack 6 or 7:
#   ./install.sh [--gpu] edgelstm-VERSION-py3-none-any.whl MODEL.onnx [FOLDER]
# FOLDER (default: /opt/edgelstm) must exist and be yours. Nothing here needs root, and root is refused.
# --gpu, JetPack 6 only: onnxruntime-gpu from NVIDIA's index instead of the CPU build; never both in one environment.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../service/steps.sh
. "$here/../service/steps.sh"

build=cpu
if [ "${1:-}" = --gpu ]; then
    build=gpu
    shift
fi
if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    refuse "usage: install.sh [--gpu] WHEEL MODEL.onnx [FOLDER]"
fi
refuse_unsupported "$(uname -m)" "$(getconf LONG_BIT)" /etc
refuse_root "$(id -u)"
version=$(python_version 310 312)
case $version in
    3.10) jetpack=jetpack6 ;;
    3.12) jetpack=jetpack7 ;;
    *) refuse "expected Python 3.10 (JetPack 6) or 3.12 (JetPack 7), got $version" ;;
esac
requirements=$here/requirements-$jetpack-$build.txt
if [ ! -f "$requirements" ]; then
    refuse "--gpu: no onnxruntime-gpu wheel is known to have code for a Jetson with JetPack 7; omit --gpu"
fi
install_all "$requirements" "$here/../service" "$@"
