# shellcheck shell=bash
# The steps of an installation, for the install.sh of each kind of device. Sourcing this file runs nothing.

refuse() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 2
}

# Refuse systems without an onnxruntime. MACHINE: uname -m. BITS: getconf LONG_BIT, because a 32-bit system on a 64-bit
# kernel calls itself aarch64. ETC: the folder of the files that describe the system.
refuse_unsupported() {
    local machine=$1 bits=$2 etc=$3
    case $machine/$bits in
        armv6*) refuse "armv6 (Raspberry Pi 1, Zero): no onnxruntime exists for it; use a board with a 64-bit system" ;;
        armv7*/* | armv8l/* | aarch64/32)
            refuse "a 32-bit ARM system: no onnxruntime wheel exists for it, on PyPI or piwheels; install the 64-bit system" ;;
        aarch64/64 | x86_64/64) ;;
        *) refuse "expected a 64-bit ARM or x86 machine, got $machine with $bits bits; no onnxruntime wheel exists for it" ;;
    esac
    if [ -e "$etc/alpine-release" ]; then
        refuse "Alpine Linux: onnxruntime has no wheel for musl; use a system with glibc, such as Debian"
    fi
    case $(cat "$etc/nv_tegra_release" 2> /dev/null) in
        "# R35"*) refuse "JetPack 5 has Python 3.8, edgelstm needs 3.10 or newer; flash JetPack 6" ;;
        "# R32"*) refuse "JetPack 4 has Python 3.6, edgelstm needs 3.10 or newer; this board ends with JetPack 4 or 5" ;;
    esac
}

# pip runs what it downloads: as root it could do anything. UID: id -u.
refuse_root() {
    if [ "$1" -eq 0 ]; then
        refuse "run this as an ordinary user who owns the target folder: pip must not run as root"
    fi
}

# Print which Python is here, as 3.11; OLDEST and NEWEST are of the form 311.
python_version() {
    local oldest=$1 newest=$2 version number
    version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') || refuse "python3 is not installed"
    number=$(python3 -c 'import sys; print("%d%02d" % sys.version_info[:2])')
    if [ "$number" -lt "$oldest" ] || [ "$number" -gt "$newest" ]; then
        refuse "expected Python ${oldest:0:1}.${oldest:1} to ${newest:0:1}.${newest:1}, got $version, which has no pinned packages"
    fi
    python3 -c 'import ensurepip, venv' 2> /dev/null || refuse "Python has no venv: sudo apt install python3-venv"
    printf '%s\n' "$version"
}

# A virtual environment, which PEP 668 asks for. Wheels only: nothing is compiled, no setup.py runs.
install_packages() {
    local to=$1 requirements=$2 wheel=$3
    [ -x "$to/venv/bin/python" ] || python3 -m venv "$to/venv"
    "$to/venv/bin/python" -m pip install --disable-pip-version-check --only-binary :all: --requirement "$requirements"
    # The pins include all that it needs; the same version may have been rebuilt.
    "$to/venv/bin/python" -m pip install --disable-pip-version-check --no-deps --force-reinstall "$wheel"
}

# The loop and the model file go beside the environment. Each is replaced at once; a running service keeps the old one.
install_files() {
    local to=$1 service=$2 model=$3 name
    for name in loop.py self-test.sh; do
        cp "$service/$name" "$to/.$name.new" && mv "$to/.$name.new" "$to/$name"
    done
    cp "$model" "$to/.model.onnx.new" && mv "$to/.model.onnx.new" "$to/model.onnx"
}

# All of it, for install.sh WHEEL MODEL.onnx [FOLDER].
install_all() {
    local requirements=$1 service=$2 wheel=$3 model=$4 to=${5:-/opt/edgelstm}
    if [ ! -f "$wheel" ] || [ ! -f "$model" ]; then
        refuse "expected a wheel and a model file, got '$wheel' and '$model'"
    fi
    if [ ! -d "$to" ] || [ ! -w "$to" ]; then
        refuse "expected a folder that you may write: sudo install -d -o \"\$USER\" $to"
    fi
    install_packages "$to" "$requirements" "$wheel"
    install_files "$to" "$service" "$model"
    "$to/self-test.sh"
    printf 'installed in %s; to run it as a service: sudo %s/enable.sh %s\n' "$to" "$(realpath "$service")" "$to"
}
