package parser

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLocate(t *testing.T) {
	tests := []struct {
		text         string
		pos          Pos
		line, column int
	}{
		{"", 0, 1, 1},
		{"abc", 2, 1, 3},
		{"abc", 99, 1, 4},
		{"abc", -1, 1, 1},
		{"é = é", 5, 1, 5},
		{"a\nbc", 2, 2, 1},
		{"a\nbc\n", 5, 3, 1},
	}
	for _, tt := range tests {
		line, column := Locate(tt.text, tt.pos)
		assert.Equal(t, [2]int{tt.line, tt.column}, [2]int{line, column}, "%q at %d", tt.text, tt.pos)
	}
}

func TestExcerpt(t *testing.T) {
	assert.Equal(t, "WHERE a AND AND b\n            ^",
		Excerpt("SELECT *\nWHERE a AND AND b\nLIMIT 1", Pos(len("SELECT *\nWHERE a AND "))))
	assert.Equal(t, "a b\n  ^", Excerpt("a\tb", 2))
	long := strings.Repeat("x", 100) + "!" + strings.Repeat("y", 100)
	assert.Equal(t, "..."+strings.Repeat("x", 60)+"!"+strings.Repeat("y", 59)+"...\n"+strings.Repeat(" ", 63)+"^",
		Excerpt(long, 100))
}
