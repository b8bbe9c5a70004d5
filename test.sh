#!/usr/bin/env bash
# Checks and tests every module of the repository: format, vet, tidy, and all tests with the race detector.
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
	TMPDIR=$(mktemp -d -p /dev/shm ef.XXXX)
	chmod 755 "$TMPDIR" # PostgreSQL runs as another user
	export TMPDIR
	trap 'rm -rf "$TMPDIR"' EXIT
fi

# The root comes first; the modules below it use it through replace directives.
for module in . $(git ls-files -co --exclude-standard '*/go.mod' | xargs -rn1 dirname | sort); do
	echo "== module $module"
	(
		cd "$module"
		go mod tidy -diff
		go vet ./...
		go test -race -timeout 15m ./...
	)
done

echo "== random statements compared with SQLite, which is slow under the race detector"
go test -C integration -run 'Same' .

echo "== allocations, memory and processor time, which the race detector would change, and what it only makes slow"
go test -run 'Alloc|HostileStatements|SurvivesEveryClose|NoErasureNamesIsDamage|CompressedDamage|BitRot|LastIndexFile|AskFewIndexes' . ./engine/... ./query
