#!/bin/sh
# A job that cron starts, perhaps on several machines or before the last run has ended, and
# that must not run twice: not two at a time, and not two on one day.
#
#   */10 1-5 * * *  nightly.sh /srv/state make-report
#
# The lease is held while the job runs, and renewed. If the job's machine dies, the next
# start gets it after a minute. Who finds it held has nothing to do: exit code 0.
set -eu
state=$1
held=${JSONSTORE_LEASE_FILE:-}
if [ "${held##*/}" != nightly.lease ]; then
	exec jsonstore lease run "$state/nightly.lease" --ttl 1m --no-wait --exit-held 0 -q -- "$0" "$@"
fi

day=$(date -u +%F)
# The first guarded write tells the document this run's token: from now on it refuses the
# writes of earlier runs, should one of them have been suspended.
last=$(jsonstore update "$state/nightly.json" --print '$old.last' -r \
	--expr 'if .fence > $token then error("a newer run has begun") else .fence = $token end' \
	--argjson token "$JSONSTORE_LEASE_TOKEN")
if [ "$last" = "$day" ]; then
	exit 0
fi

shift
"$@" # the job

jsonstore update "$state/nightly.json" --argjson token "$JSONSTORE_LEASE_TOKEN" --arg day "$day" \
	--expr 'if .fence > $token then error("a newer run has begun") else .fence = $token | .last = $day end'
