package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine"
)

func TestNamesAreCheckedInOneOrder(t *testing.T) {
	long := strings.Repeat("x", engine.MaxStreamSize+1)
	tests := []struct {
		name         string
		stream, kind engine.NameFault
	}{
		{"a", engine.NameOK, engine.NameOK},
		{strings.Repeat("x", engine.MaxStreamSize), engine.NameOK, engine.NameOK},
		{"", engine.NameEmpty, engine.NameEmpty},
		{long, engine.NameTooLong, engine.NameTooLong},
		{"$" + long, engine.NameTooLong, engine.NameTooLong},
		{"$a", engine.NameReserved, engine.NameOK},
		{"$\xff", engine.NameReserved, engine.NameNotUTF8},
		{"a\xff\x00", engine.NameNotUTF8, engine.NameNotUTF8},
		{"a\x00", engine.NameHasNUL, engine.NameHasNUL},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.stream, engine.CheckStream(tt.name), "%.20q", tt.name)
		assert.Equal(t, tt.kind, engine.CheckType(tt.name), "%.20q", tt.name)
		assert.Equal(t, tt.kind, engine.CheckTag(tt.name), "%.20q", tt.name)
	}
}
