#!/bin/sh
# Builds one fuzz target by clang and runs it for so long; what it found stays in BUILD/NAME.found.
# usage: tests/fuzz/run.sh NAME CLANG++ SOURCE BUILD SECONDS
set -eu
name=$1 clang=$2 source=$3 build=$4 seconds=$5

cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHARTLINE_FUZZERS=ON -DHARTLINE_JIT=OFF \
    -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_C_COMPILER="${clang%++*}${clang##*++}" > "$build.log" 2>&1 ||
    { cat "$build.log"; exit 1; }
ninja -C "$build" "$name" > "$build.log" 2>&1 || { cat "$build.log"; exit 1; }

mkdir -p "$build/$name.corpus" "$build/$name.found"
seeds=$source/tests/fuzz/${name#fuzz_}.corpus
set -- "$build/$name.corpus"
if [ -d "$seeds" ]; then set -- "$@" "$seeds"; fi
exec "$build/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$build/$name.found/" "$@"
