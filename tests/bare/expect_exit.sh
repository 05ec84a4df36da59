#!/bin/sh
# Runs a command and passes if it exits with the code that is expected: expect_exit.sh CODE COMMAND...
expected=$1
shift
"$@"
code=$?
[ $code -eq "$expected" ] || echo "exit code $code, expected $expected"
[ $code -eq "$expected" ]
