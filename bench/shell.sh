#!/usr/bin/env bash
# The same counter, counted up by several processes at once, by the means that a shell script has and by
# jsonstore: how many updates are kept, and how long it takes. Prints a table in Markdown.
#
#   bench/shell.sh [UPDATES_A_PROCESS [PROCESSES]]
#
# It needs Go, jq and flock; sponge (moreutils) and yq (github.com/mikefarah/yq) are measured if they are there. It writes in a
# new directory below $TMPDIR only.
set -eu
updates=${1:-100} processes=${2:-4}
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$dir/jsonstore" ./cmd/jsonstore
PATH=$dir:$PATH
cd "$dir"
export updates

# count NAME COMMAND: runs the command so often in each of the processes, and prints a row. $f is the
# document, $t a temporary name of the process's own.
count() {
	local name=$1 f=c.json
	export f command=$2
	echo '{"count":0}' >$f
	local start end kept
	start=$(date +%s%N)
	for p in $(seq "$processes"); do
		t=$f.$p bash -c 'for i in $(seq "$updates"); do eval "$command" || echo failed; done' >>out 2>&1 &
	done
	wait
	end=$(date +%s%N)
	kept="$(jq -r .count $f 2>/dev/null) of $((updates * processes))" || kept='none: the file is broken'
	[[ $kept == [0-9]* ]] || kept='none: the file is empty'
	printf '| %s | %s | %d.%02d | %s |\n' "$name" "$kept" \
		$(((end - start) / 1000000000)) $(((end - start) / 10000000 % 100)) "$(grep -c '^failed' out)"
	rm -rf "$dir"/c.json* "$dir"/.c.json* out
}

echo "$processes processes, $updates updates each; $(uname -sr), $(nproc) cores, $(stat -f -c %T .), $(date +%F)"
echo
echo '| how | updates kept | seconds | commands that failed |'
echo '| --- | --- | --- | --- |'
count '`jq … > tmp; mv tmp file`' 'jq ".count += 1" $f >$t && mv $t $f'
if command -v sponge >/dev/null; then
	count '`jq … \| sponge file`' 'jq ".count += 1" $f | sponge $f'
fi
if yq --version 2>&1 | grep -q mikefarah; then
	count '`yq -i …`' 'yq -i -o json ".count += 1" $f'
fi
count '`flock file` around jq and mv' 'flock $f bash -c "jq \".count += 1\" $f >$t && mv $t $f"'
count '`flock file.lock` around jq and mv' 'flock $f.lock bash -c "jq \".count += 1\" $f >$t && mv $t $f"'
count 'the same, and durable: with sync' 'flock $f.lock bash -c "jq \".count += 1\" $f >$t && sync $t && mv $t $f && sync ."'
count '`jsonstore update --sync volatile`' 'jsonstore update $f --expr ".count += 1" --sync volatile'
count '`jsonstore update` (durable)' 'jsonstore update $f --expr ".count += 1"'
count '`jsonstore update --locking` (durable)' 'jsonstore update $f --expr ".count += 1" --locking'
count '`jsonstore incr` (durable)' 'jsonstore incr $f count -q >/dev/null'
