package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/eventfold/eventfold/engine"
)

// MaxLine bounds a line: the largest event, every byte of it written as \u00xx, which is six, as others
// may do with a text, and room for the rest. (In base64 it takes much less.)
const MaxLine = 8 * engine.MaxEventLimit

// A LineReader reads lines. Unlike bufio.Scanner it looks at each byte once, however long a line is and
// in however small pieces it comes.
type LineReader struct {
	from *bufio.Reader
	line []byte
}

// NewLineReader returns a reader of lines of at most MaxLine bytes.
func NewLineReader(r io.Reader) *LineReader { return &LineReader{from: bufio.NewReaderSize(r, 1<<16)} }

// Next returns the next line without its end, until the next call; io.EOF behind the last one.
func (l *LineReader) Next() ([]byte, error) {
	l.line = l.line[:0]
	for {
		part, err := l.from.ReadSlice('\n')
		l.line = append(l.line, part...)
		switch {
		case len(l.line) > MaxLine:
			return nil, fmt.Errorf("the line is longer than %d MiB", MaxLine>>20)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.line) > 0: // the last line needs no end
		case err != nil:
			return nil, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(l.line, []byte("\n")), []byte("\r")), nil
	}
}
