#!/usr/bin/env bash
# What a lock around a command adds to it: the command alone, under flock(1), and under jsonstore,
# one after the other, again and again. Prints a table in Markdown.
#
#   bench/lock.sh [RUNS [JSONSTORE…]]
#
# It needs Go, flock and bash 5. It builds jsonstore without cgo, and as Go does by itself; other builds
# to compare with are arguments. It writes in new directories below $TMPDIR and, where that is there, /dev/shm:
# ext4 takes up to 1 ms to make a file beside many that were removed just now, as a build does it.
set -eu
runs=${1:-300}
shift $(($# > 0))
others=()
for other in "$@"; do others+=("$(realpath "$other")"); done
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir" "$work"' EXIT
work=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$dir/jsonstore" ./cmd/jsonstore
go build -o "$dir/jsonstore-default" ./cmd/jsonstore
sync "$dir"/* # what is written back meanwhile would be measured
cd "$work"
command=$(type -P true)

names=() lines=()
add() { names+=("$1") lines+=("$2"); }
add '`CMD`, which is `true`' "$command"
add '`flock F CMD`' "flock F $command"
for one in "$dir/jsonstore" "$dir/jsonstore-default" "${others[@]}"; do
	add "\`${one##*/} lock F -- CMD\`" "$one lock F -- $command"
done
add '`jsonstore --version`' "$dir/jsonstore --version"

for ((run = 0; run < runs; run++)); do
	for i in "${!lines[@]}"; do
		from=${EPOCHREALTIME/[.,]/}
		${lines[i]} >/dev/null
		echo $((${EPOCHREALTIME/[.,]/} - from)) >>"times.$i"
	done
done

echo "$runs interleaved runs, in ms; $(uname -sr), $(nproc) cores, $(stat -f -c %T .), $(date +%F)"
echo
echo '| command | median | a tenth is below | adds to `CMD`, median | a tenth is below |'
echo '| --- | ---: | ---: | ---: | ---: |'
ms() { printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10)); }
for i in "${!lines[@]}"; do
	sort -n "times.$i" -o "times.$i"
	median=$(sed -n "$((runs / 2 + 1))p" "times.$i") low=$(sed -n "$((runs / 10 + 1))p" "times.$i")
	((i > 0)) || base_median=$median base_low=$low
	echo "| ${names[i]} | $(ms "$median") | $(ms "$low") |" \
		"$(ms $((median - base_median))) | $(ms $((low - base_low))) |"
done
