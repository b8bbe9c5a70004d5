package transfer

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// Blanks are a line without an end.
type blanks struct{}

var manyBlanks = bytes.Repeat([]byte(" "), 1<<16)

func (blanks) Read(b []byte) (int, error) { return copy(b, manyBlanks), nil }

// The largest event may take six bytes for each of its own. A line of blanks shows it as well.
func TestALineMayBeAsLongAsTheLargestEventWithEscapes(t *testing.T) {
	const event = `{"id": "0190f7a2-0000-7000-8000-000000000001", "source": "x", "specversion": "1.0",` +
		` "type": "A", "subject": "s"}` + "\n"
	read := func(before int64) (n int, err error) {
		in := io.MultiReader(io.LimitReader(blanks{}, before), strings.NewReader("\n"+event))
		for _, failed := range readLines(in, ReadOptions{}) {
			if failed != nil {
				return n, failed
			}
			n++
		}
		return n, nil
	}
	n, err := read(6 * engine.MaxEventLimit)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	_, err = read(MaxLine)
	var input *InputError
	require.ErrorAs(t, err, &input)
	assert.Equal(t, 1, input.Line)
	require.ErrorContains(t, err, "longer than 128 MiB")
}
