#!/bin/sh
# A counter with flock, jq and mv, which locks a file beside the document: flock-beside.sh FILE TIMES
# It loses nothing, and can stay as it is while other programs use jsonstore with --lock-file.
set -eu
export file=$1
for _ in $(seq "$2"); do
	flock "$file.lock" sh -c 'jq ".visits += 1" "$file" >"$file.$$" && mv "$file.$$" "$file"'
done
