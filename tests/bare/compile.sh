#!/bin/sh
# Compiles one bare-metal program with the runtime: compile.sh SOURCE ELF [FLAG...]
set -eu
here=$(dirname "$(readlink -f "$0")")
source=$1 elf=$2
shift 2
exec "${RISCV_CC:-riscv64-unknown-elf-gcc}" -std=gnu11 -O2 -Wall -Wextra -Werror \
    -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax \
    -ffreestanding -fno-pic -fno-jump-tables -fno-builtin -nostdlib -static \
    -Wl,--build-id=none,--no-warn-rwx-segments -T "$here/link.ld" -I "$here" "$@" \
    -o "$elf" "$here/start.S" "$here/runtime.c" "$source"
