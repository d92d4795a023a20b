#!/usr/bin/env bash
# Run a command and its children inside an emulated aarch64 root: needs a user namespace, but no root rights.
#   unshare --user --map-root-user --mount bash enter.sh ROOT QEMU CPUINFO SHARE COMMAND...
# Inside, SHARE is /mnt, /proc/cpuinfo is CPUINFO, and the user id is 1000. QEMU_CPU chooses the core.
set -eu
root=$1 qemu=$2 cpuinfo=$3 share=$4
shift 4
ulimit -c 0

# A binfmt_misc of our own (Linux 6.7): the kernel hands 64-bit little-endian ARM programs to qemu. P keeps argv[0], from
# which Python knows its virtual environment; F opens qemu now, because it does not exist inside the chroot.
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
magic='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":edgelstm-arm:M::$magic:$mask:$qemu:PF" > /proc/sys/fs/binfmt_misc/register

mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$share" "$root/mnt"
# qemu 7.2 dies when onnxruntime reads the cpuinfo of an x86 machine.
mount --bind "$cpuinfo" "$root/proc/cpuinfo"
exec unshare --user --map-user=1000 --map-group=1000 --keep-caps chroot "$root" "$@"
