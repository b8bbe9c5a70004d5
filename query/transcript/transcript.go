// Package transcript reads the dialect's transcripts, files of statements with what each of them gives,
// and writes what a statement has given in their form, for tests of whatever the statements are run on.
//
// A file is a list of blocks, with blank lines between them. A block is a statement, a line of four
// dashes, and what the statement gave: the columns and the rows, or the outcome, or the error with its
// line and column. Before the statement there may be lines that begin with #, a line "args [...]" with
// the arguments as JSON, and a line "session name", which chooses one of several sessions.
package transcript

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A Block is one statement of a transcript.
type Block struct {
	Head    string // everything before the dashes, as it is in the file
	Session string // "" for the one without a name
	Args    []driver.NamedValue
	Text    string // the statement
	Want    string // what it should give, in whole lines
}

const dashes = "\n----\n"

// Parse reads the blocks of a file.
func Parse(file string) (blocks []Block, err error) {
	for i, part := range strings.Split(strings.TrimSpace(file), "\n\n") {
		head, want, _ := strings.Cut(part+"\n", dashes)
		b := Block{Head: strings.TrimSuffix(head, "\n"), Want: want}
		if err := b.readHead(); err != nil {
			return nil, fmt.Errorf("block %d: %w", i+1, err)
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// With is the block in the file, with another output.
func (b *Block) With(output string) string { return b.Head + dashes + output }

// readHead reads the lines before the dashes.
func (b *Block) readHead() (err error) {
	var lines []string
	for line := range strings.SplitSeq(b.Head, "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "session "); ok {
			b.Session = name
			continue
		}
		if list, ok := strings.CutPrefix(line, "args "); ok {
			if b.Args, err = parseArgs(list); err != nil {
				return fmt.Errorf("args: %w", err)
			}
			continue
		}
		lines = append(lines, line)
	}
	b.Text = strings.Join(lines, "\n")
	return nil
}

// parseArgs reads arguments from JSON: a list for positional ones, an object for named ones.
func parseArgs(list string) (args []driver.NamedValue, err error) {
	var values []any
	if err := json.Unmarshal([]byte(list), &values); err == nil {
		for i, v := range values {
			args = append(args, driver.NamedValue{Ordinal: i + 1, Value: argValue(v)})
		}
		return args, nil
	}
	var named map[string]any
	if err := json.Unmarshal([]byte(list), &named); err != nil {
		return nil, err
	}
	for name, v := range named {
		args = append(args, driver.NamedValue{Name: name, Ordinal: len(args) + 1, Value: argValue(v)})
	}
	return args, nil
}

func argValue(v any) driver.Value {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return int64(f)
	}
	return v
}

// assignedID is an id as a store assigns it. The transcripts' own ids are of other versions.
var assignedID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// HideIDs writes "(assigned id)" for every id that a store has assigned.
func HideIDs(output string) string { return assignedID.ReplaceAllString(output, "(assigned id)") }
