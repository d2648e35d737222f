#!/bin/sh
# The same with jsonstore: flock-after.sh FILE TIMES [FLAG...]
# Beside flock-beside.sh, the flags are --lock-file FILE.lock.
set -eu
file=$1 times=$2
shift 2
for _ in $(seq "$times"); do
	jsonstore incr "$file" visits -q "$@" >/dev/null
done
