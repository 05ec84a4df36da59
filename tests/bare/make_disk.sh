#!/bin/sh
# Makes the disk image that virtio_blk expects: 1 MiB, each sector filled with its number plus 0x41.
set -eu
printf '' >"$1"
for letter in A B C D E F G H; do
    head -c 512 /dev/zero | tr '\0' $letter >>"$1"
done
truncate -s 1M "$1"
