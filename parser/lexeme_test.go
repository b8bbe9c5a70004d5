package parser

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// told renders pieces as letters in front of their texts.
func told(text string) string {
	var b strings.Builder
	for _, x := range Lexemes(text) {
		b.WriteString(string("knsdbpoc?"[x.Kind]) + "<" + text[x.Pos:x.End] + ">")
	}
	return b.String()
}

func TestATextIsCutIntoPiecesForAnEditor(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{" \n ", ""},
		{"select type FROM $all", "k<select>n<type>k<FROM>n<$all>"},
		{"SELECT 'it''s', 12, x'00', ?;", "k<SELECT>s<'it''s'>o<,>d<12>o<,>b<x'00'>o<,>p<?>o<;>"},
		{"SELECT :a", "k<SELECT>p<:a>"},
		{"SELECT * FROM order-1; -- why\nSELECT 1", "k<SELECT>o<*>k<FROM>n<order-1>o<;>c<-- why>k<SELECT>d<1>"},
		{"/* a */ SELECT /* b */1 --", "c</* a */>k<SELECT>c</* b */>d<1>c<-->"},
		{`SELECT "a b" FROM ` + "`c`", `k<SELECT>n<"a b">k<FROM>n<` + "`c`>"},
		{"SELECT 'open FROM", "k<SELECT>?<'open FROM>"},
		{`SELECT "open`, `k<SELECT>?<"open>`},
		{"SELECT 1 /* open", "k<SELECT>d<1>?</* open>"},
		{"-- a\n/* open", "c<-- a>?</* open>"},
		{"SELECT (1", "k<SELECT>o<(>d<1>"},
		{"SELECT 1)", "k<SELECT>d<1>?<)>"},
		{"SELECT 1e; SELECT 2", "k<SELECT>?<1e; SELECT 2>"},
		{"SELECT * FROM order-", "k<SELECT>o<*>k<FROM>?<order->"},
		{"\xff", "?<\xff>"},
		{"SELECT \x00", "?<SELECT \x00>"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, told(tt.text), "%q", tt.text)
	}
}

func TestPiecesOfATextStandInItsOrder(t *testing.T) {
	texts := append(corpus(), "SELECT 'a", "SELECT [", "))((", "'", "x'", "$", "@ ;;; ?1a")
	for _, text := range texts {
		at := Pos(0)
		for _, x := range Lexemes(text) {
			assert.True(t, at <= x.Pos && x.Pos < x.End && int(x.End) <= len(text), "%q: %v", text, x)
			at = x.End
		}
	}
}

func TestKeywordsAreSortedAndInUpperCase(t *testing.T) {
	list := Keywords()
	assert.Contains(t, list, "FOLLOW")
	assert.IsIncreasing(t, list)
}
