# Files read and hashed by the small tools.
# unit: bytes 30000000
input=(/usr/lib/riscv64-linux-gnu/libLLVM*.so*)
for tool in md5sum cksum sha1sum; do
    head -c "$COUNT" "${input[0]}" | "$tool"
done
