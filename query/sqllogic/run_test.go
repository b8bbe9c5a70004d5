package sqllogic

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	errRefused = errors.New("refused")
	errInvalid = errors.New("invalid")
	errFailed  = errors.New("failed")
)

// A fake answers every query with the same rows, or with the error that the statement names.
type fake struct{ ran []string }

func (f *fake) Exec(text string) error {
	f.ran = append(f.ran, strings.TrimSpace(text))
	for _, err := range []error{errRefused, errInvalid, errFailed} {
		if strings.Contains(text, err.Error()) {
			return err
		}
	}
	return nil
}

func (f *fake) Query(text string) ([][]any, error) {
	return [][]any{{int64(1), "b"}, {nil, "a"}}, f.Exec(text)
}

func (f *fake) Sort(err error) Sort {
	return map[error]Sort{errRefused: Refused, errInvalid: Invalid}[err]
}

func TestRunCountsWrongRefusedAndSkippedApart(t *testing.T) {
	tests := []struct {
		name, text string
		want       Counts
	}{
		{"a right answer", "query IT nosort\nSELECT\n----\n1\nb\nNULL\na", Counts{Passed: 1}},
		{"a line a row", "query IT nosort\nSELECT\n----\n1 b\nNULL a", Counts{Passed: 1}},
		{"a wrong answer", "query IT nosort\nSELECT\n----\n1\nb\nNULL\nx", Counts{Wrong: 1}},
		{"a row too few", "query IT nosort\nSELECT\n----\n1\nb", Counts{Wrong: 1}},
		{"no rows wanted", "query IT nosort\nSELECT\n----", Counts{Wrong: 1}},
		{"another order", "query IT nosort\nSELECT\n----\nNULL\na\n1\nb", Counts{Wrong: 1}},
		{"rowsort", "query IT rowsort\nSELECT\n----\n1\nb\nNULL\na", Counts{Passed: 1}},
		{"valuesort", "query IT valuesort\nSELECT\n----\n1\nNULL\na\nb", Counts{Passed: 1}},
		{"the number of columns", "query I nosort\nSELECT\n----\n1", Counts{Wrong: 1}},
		{"a hash", "query IT nosort\nSELECT\n----\n4 values hashing to 01867fb77216923b458f8cee76871695", Counts{Passed: 1}},
		{"a wrong hash", "query IT nosort\nSELECT\n----\n4 values hashing to 00000000000000000000000000000000", Counts{Wrong: 1}},
		{"a label", "query IT nosort x\nSELECT\n----\n1 b\nNULL a\n\nquery IT rowsort x\nSELECT\n----\n1 b\nNULL a", Counts{Passed: 2}},
		{"a label that differs", "query IT nosort x\nSELECT\n----\n1 b\nNULL a\n\nquery IT valuesort x\nSELECT\n----\n1 NULL\na b", Counts{Passed: 1, Wrong: 1}},
		{"a refused query", "query I nosort\nrefused\n----\n1", Counts{Refused: 1}},
		{"an invalid query", "query I nosort\ninvalid\n----\n1", Counts{Refused: 1}},
		{"a failed query", "query I nosort\nfailed\n----\n1", Counts{Wrong: 1}},
		{"an error that should be one", "statement error\ninvalid", Counts{Passed: 1}},
		{"an error of another sort", "statement error\nrefused\n\nstatement error\nfailed", Counts{Refused: 1, Wrong: 1}},
		{"no error where there should be one", "statement error\nINSERT INTO t VALUES (1)\n\nquery I nosort\nSELECT FROM t\n----", Counts{Wrong: 1, Skipped: 1}},
		{"an error where there should be none", "statement ok\nfailed", Counts{Wrong: 1}},
		{"behind a refused change", "statement ok\nINSERT INTO t refused\n\nstatement ok\nINSERT INTO u SELECT * FROM T\n\nquery I nosort\nSELECT FROM u\n----\n\n" +
			"query IT nosort\nSELECT FROM v\n----\n1 b\nNULL a", Counts{Passed: 1, Refused: 1, Skipped: 2}},
		{"behind a refused view", "statement ok\nCREATE VIEW v AS refused\n\nquery I nosort\nSELECT FROM v\n----\n", Counts{Refused: 1, Skipped: 1}},
		{"behind a refused trigger", "statement ok\nCREATE TRIGGER x AFTER INSERT ON t refused\n\nquery I nosort\nSELECT FROM t\n----\n", Counts{Refused: 1, Skipped: 1}},
		{"a refused change that should be an error", "statement error\nINSERT INTO t refused\n\nstatement ok\nINSERT INTO t", Counts{Refused: 1, Passed: 1}},
		{"conditions", "onlyif sqlite\nstatement ok\nx\n\nskipif sqlite\nstatement ok\nx\n\nonlyif mysql\nstatement ok\nx\n\nskipif mysql\nstatement ok\nx\n\n" +
			"onlyif mysql\nhalt\n\nskipif eventfold\nstatement ok\nx", Counts{Passed: 2, Skipped: 3}},
		{"halt", "statement ok\nx\n\nhalt\n\nstatement ok\nfailed", Counts{Passed: 1}},
		{"hash-threshold", "hash-threshold 3\n\nquery IT nosort\nSELECT\n----\n1 b\nNULL a", Counts{Wrong: 1}},
		{"an unknown record", "whatever", Counts{Wrong: 1}},
	}
	for _, tt := range tests {
		reported := 0
		got, err := Run(strings.NewReader(tt.text), &fake{}, func(int, string) { reported++ })
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.want, got, tt.name)
		assert.Equal(t, got.Wrong, reported, tt.name)
	}
}

func TestValuesAreWrittenAsTheirTypesAsk(t *testing.T) {
	tests := []struct {
		v    any
		kind byte
		want string
	}{
		{nil, 'I', "NULL"}, {int64(-3), 'I', "-3"}, {2.9, 'I', "2"}, {"12abc", 'I', "12"}, {"abc", 'I', "0"}, {[]byte("7"), 'I', "7"},
		{int64(2), 'R', "2.000"}, {2.0005, 'R', "2.001"}, {"1e1x", 'R', "10.000"},
		{"", 'T', "(empty)"}, {"a\nb\u00e9", 'T', "a@b@"}, {int64(5), 'T', "5"}, {1.0, 'T', "1.0"}, {0.1, 'T', "0.1"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, text(tt.v, tt.kind), "%v as %c", tt.v, tt.kind)
	}
}
