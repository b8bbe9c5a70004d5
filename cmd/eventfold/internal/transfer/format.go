package transfer

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eventfold/eventfold"
)

// A writer writes events in one format. Close ends what is written and leaves the file open.
type writer interface {
	Write(e *eventfold.Event) error
	Close() error
}

// A Format is what files of events can look like.
type Format struct {
	Name       string
	Extensions []string // of file names, with a dot
	// Text formats are streams of lines, which can be compressed, cut anywhere between two events,
	// and read from a pipe.
	Text bool

	newWriter func(w io.Writer, first bool, source string) (writer, error) // of text; first: there is nothing before
	read      func(r io.Reader, o ReadOptions) iter.Seq2[eventfold.Event, error]
	target    func(path string, p Plan) (Target, error)
	readFile  func(path string) iter.Seq2[eventfold.Event, error]
	count     func(ctx context.Context, path string) (int64, error) // of what readFile reads
}

// lineFormat is that of lines of JSON.
var lineFormat = &Format{
	Name: "ndjson", Extensions: []string{".ndjson", ".jsonl", ".json"}, Text: true, newWriter: newLines, read: readLines,
}

// Formats are all formats.
var Formats = []*Format{
	lineFormat,
	{Name: "csv", Extensions: []string{".csv"}, Text: true, newWriter: newTable, read: readTable},
	{
		Name: "parquet", Extensions: []string{".parquet", ".pq"},
		target: openParquet, readFile: readParquet, count: countParquet,
	},
	{
		Name: "sqlite", Extensions: []string{".sqlite", ".sqlite3", ".db"},
		target: openSQLite, readFile: readSQLite, count: countSQLite,
	},
}

// FormatNames are the names of the formats, separated by a comma.
func FormatNames() string {
	var names []string
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// FormatOf returns the format of the name, or, if that is empty, the one that the name of a file
// says, and how the file is compressed. The name - is the standard output, of lines of JSON.
func FormatOf(name, path string) (*Format, Compression, error) {
	base, compression := path, NoCompression
	for c, extension := range compressions {
		if extension != "" && strings.HasSuffix(strings.ToLower(base), extension) {
			base, compression = base[:len(base)-len(extension)], Compression(c)
			break
		}
	}
	if name == "" && path == "-" {
		name = Formats[0].Name
	}
	extension := strings.ToLower(filepath.Ext(base))
	for _, f := range Formats {
		if f.Name != name && (name != "" || !slices.Contains(f.Extensions, extension)) {
			continue
		}
		if compression != NoCompression && !f.Text {
			return nil, 0, fmt.Errorf("%s is compressed by itself: leave %s away", f.Name, compressions[compression])
		}
		return f, compression, nil
	}
	if name != "" {
		return nil, 0, fmt.Errorf("there is no format %q; the formats are %s", name, FormatNames())
	}
	return nil, 0, fmt.Errorf("the name %s does not say in which format; say it with --format: %s", path, FormatNames())
}

// Count returns how many events a file has that is no text, 0 if it cannot be told: reading says why.
func Count(ctx context.Context, path string, f *Format) int64 {
	if f.count == nil {
		return 0
	}
	n, err := f.count(ctx, path)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
