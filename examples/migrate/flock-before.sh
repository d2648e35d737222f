#!/bin/sh
# A counter with flock, jq and mv, which locks the document itself: flock-before.sh FILE TIMES
set -eu
export file=$1
for _ in $(seq "$2"); do
	flock "$file" sh -c 'jq ".visits += 1" "$file" >"$file.$$" && mv "$file.$$" "$file"'
done
