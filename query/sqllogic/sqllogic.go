// Package sqllogic runs files in the format of SQLite's sqllogictest against a database, for tests.
//
// A file is records that blank lines separate:
//
//	statement ok | statement error
//	<SQL>
//
//	query <a letter a column: T, I or R> [nosort | rowsort | valuesort] [label]
//	<SQL>
//	----
//	<a value a line, or "N values hashing to MD5">
//
// Before a record may stand "onlyif NAME" and "skipif NAME". The names that hold are sqlite, which is
// the reference, and eventfold.
package sqllogic

import (
	"bufio"
	"io"
	"slices"
	"strings"
)

// A record is one record of a file.
type record struct {
	line  int
	kind  []string // the words of its first line
	sql   string
	want  []string
	skips bool // by onlyif or skipif
}

// read reads a file's records.
func read(r io.Reader) ([]record, error) {
	var records []record
	var rec *record
	results, skips := false, false
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimRight(in.Text(), "\r")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			rec, results = nil, false
		case rec == nil && strings.HasPrefix(line, "#"):
		case rec == nil && len(words) > 1 && (words[0] == "skipif" || words[0] == "onlyif"):
			ours := slices.Contains([]string{"sqlite", "eventfold"}, words[1])
			skips = skips || ours == (words[0] == "skipif")
		case rec == nil:
			records = append(records, record{line: n, kind: words, skips: skips})
			rec, skips = &records[len(records)-1], false
		case line == "----":
			results = true
		case results:
			rec.want = append(rec.want, line)
		default:
			rec.sql += line + "\n"
		}
	}
	return records, in.Err()
}
