#!/usr/bin/env bash
# Checks and tests every module of the repository: format, vet, tidy, and all tests with the race detector,
# but for those that it would change (allocations, memory, processor time) or makes only slow (the long work
# of one goroutine): .ci/run goes on with them.
# It needs Go and a C compiler (for -race) and installs nothing else.
set -euo pipefail
cd "$(dirname "$0")"

unformatted=$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l)
if [ -n "$unformatted" ]; then
	echo "gofmt would change:" "$unformatted"
	exit 1
fi

# The tests sync thousands of small stores. Where there is memory to spare these stand in memory, which takes
# a third off the time; .ci/run tests the engine on the disk as well.
spare() { df --output=avail -BG "$1" 2>/dev/null | tail -n 1 | tr -dc 0-9; }
available=$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || true)
if [ -z "${TMPDIR:-}${GOTMPDIR:-}" ] && [ "$(spare /dev/shm)" -ge 8 ] 2>/dev/null && [ "${available:-0}" -ge 8 ]; then
	memory=$(mktemp -d -p /dev/shm ef.XXXX)
	chmod 755 "$memory" # PostgreSQL runs as another user
	export TMPDIR=$memory
fi

# check checks and tests one module, and tests some packages of it first: those that take long.
check() {
	echo "== module $1"
	cd "$1"
	go mod tidy -diff
	go vet ./...
	go test -race -timeout 40m "${@:2}" ./...
}

# others does so with every module below the root, which they use through replace directives, one after the
# other, and tells what each has said when it is done.
others() {
	local failed=0
	for module in $(git ls-files -co --exclude-standard '*/go.mod' | xargs -rn1 dirname | sort); do
		check "$module" >"$logs/module" 2>&1 &
		wait $! || failed=1
		cat "$logs/module"
	done
	return $failed
}

# The tests of the root wait for disks and processes half of the time; those of the others run meanwhile.
logs=$(mktemp -d)
set -m # a group of its own for each, so that nothing goes on when this is interrupted
check . ./engine/filestore ./engine/crashtest ./query &
root=$!
others &
beside=$!
trap 'kill -- -$root -$beside 2>/dev/null || true; rm -rf "$logs" "${memory:-$logs}"' EXIT
failed=0
wait $root || failed=1
wait $beside || failed=1
exit $failed
