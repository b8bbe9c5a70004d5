package parser

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xwb1989/sqlparser"
)

// rawWords are all the words that sqlparser may get to see. Everything else is a carrier or a mark.
var rawWords = []string{
	"INSERT", "INTO", "VALUES", "DISTINCT", "AND", "OR", "NOT", "IS", "NULL", "TRUE", "FALSE", "IN", "LIKE", "ESCAPE", "REGEXP", "BETWEEN", "DIV", "COLLATE",
	"CASE", "WHEN", "THEN", "ELSE", "END", "_binary", "binary",
}

var (
	carrierPattern = regexp.MustCompile("^(`[0-9]+`|:t[0-9]+|::q[0-9]+)$")
	markPattern    = regexp.MustCompile(`^(<=>|<=|>=|<>|[-+*/%^=<>(),.])$`)
)

// foreignPiece returns the first piece of a text for sqlparser that must not be in it, or "".
func foreignPiece(text string) string {
	for _, piece := range strings.Fields(text) {
		if !slices.Contains(rawWords, piece) && !carrierPattern.MatchString(piece) && !markPattern.MatchString(piece) {
			return piece
		}
	}
	return ""
}

// read is Parse with a look at every text that sqlparser is given.
func read(text string, seen func(string)) (err error) {
	defer func() { err = caught(recover(), text, err) }()
	toks, _, err := scan(text)
	if err != nil {
		return err
	}
	p := &parser{text: text, toks: toks, seen: seen}
	p.whole()
	if p.err != nil {
		return p.err
	}
	return nil
}

// TestNothingOfTheUserReachesSqlparser holds for every text of the tests: only carriers, marks and our words get through.
func TestNothingOfTheUserReachesSqlparser(t *testing.T) {
	texts := 0
	for _, text := range corpus() {
		err := read(text, func(canonical string) {
			texts++
			assert.Empty(t, foreignPiece(canonical), "%s\ngave %s", text, canonical)
		})
		if err != nil {
			assert.NotContains(t, err.Error(), "internal error", text)
		}
	}
	assert.Greater(t, texts, 200)
}

// TestRawWordsAreReserved holds that no word that sqlparser sees could be a name for it: one that could be might be taken as an alias
// or a column where the grammar wanted something else.
func TestRawWordsAreReserved(t *testing.T) {
	accepts := func(text string) bool {
		_, err := sqlparser.ParseNext(sqlparser.NewStringTokenizer(text))
		return err == nil
	}
	require.True(t, accepts("SELECT 1 FROM date"), "a word that is not reserved passes")
	for _, word := range rawWords {
		assert.False(t, accepts("SELECT 1 "+word), "an alias")
		assert.False(t, accepts("SELECT 1 FROM "+word), "a table: %s", word)
		assert.False(t, accepts("SELECT 1 FROM a "+word), "a table's alias: %s", word)
	}
}

// TestCarriersThatDoNotFit holds that what sqlparser would hand back against the text is noticed: it is an internal error, never a tree.
func TestCarriersThatDoNotFit(t *testing.T) {
	toks, _, err := scan("SELECT a + b, c")
	require.NoError(t, err)
	l := lowerer{&parser{text: "SELECT a + b, c", toks: toks}}
	for _, canonical := range []string{
		"SELECT `1` - `3`",     // another operator
		"SELECT `1` AND `3`",   // another chain
		"SELECT `3` + `1`",     // another order
		"SELECT `1` + `99`",    // no token
		"SELECT `1` + x",       // no carrier
		"SELECT `1` + 7",       // no carrier
		"SELECT `1` + :v1",     // no carrier
		"SELECT (`1`)",         // no parenthesis
		"SELECT - `3`",         // no sign
		"SELECT `1` & `3`",     // no operator of ours
		"SELECT f(`1`)",        // no carrier
		"SELECT `1` IS NULL",   // another suffix
		"SELECT `1` COLLATE x", // no carrier
	} {
		st, err := sqlparser.ParseNext(sqlparser.NewStringTokenizer(canonical))
		require.NoError(t, err, canonical)
		e := st.(*sqlparser.Select).SelectExprs[0].(*sqlparser.AliasedExpr).Expr
		assert.Panics(t, func() { l.node(e) }, canonical)
	}
}

// TestDefectIsAnError holds that a panic of the grammar does not reach the caller.
func TestDefectIsAnError(t *testing.T) {
	err := caught("slice bounds out of range", "SELECT 1", nil)
	var syntax *SyntaxError
	require.ErrorAs(t, err, &syntax)
	assert.Contains(t, syntax.Msg, "internal error of the parser")
	assert.NoError(t, caught(nil, "SELECT 1", nil))
}
