package expr

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// castHints are types that mean elsewhere what no type means here: SQLite, whose rules these are,
// takes every name that it does not know for NUMERIC, and the value would silently be another one.
// query/testdata/hints has a row for each name. They are in upper case, with blanks between them.
var castHints = []hintGroup{
	{"SIGNED UNSIGNED", "write CAST(x AS INTEGER)"},
	{"BINARY VARBINARY BYTEA BYTES RAW", "write CAST(x AS BLOB)"},
	{"YEAR", "write CAST(strftime('%Y', x) AS INTEGER)"},
	{"XML HSTORE", "write CAST(x AS TEXT), or AS JSON"},
}

// roundingTypes are those that round elsewhere to as many decimals as stand behind them.
var roundingTypes = []string{"DECIMAL", "NUMERIC", "DEC", "FIXED", "NUMBER"}

// checkCast refuses a type of castHints, and decimals, which nothing is rounded to.
func checkCast(typeName string, pos parser.Pos) error {
	name, sizes, _ := strings.Cut(strings.ToUpper(typeName), "(")
	for _, g := range castHints {
		if slices.Contains(strings.Fields(g.names), name) {
			return &fault.Error{Kind: fault.BadArgument, Pos: pos, Msg: "there is no type " + name, Hint: g.hint}
		}
	}
	_, decimals, some := strings.Cut(strings.TrimSuffix(sizes, ")"), ",")
	if !some || !slices.Contains(roundingTypes, name) {
		return nil
	}
	e := &fault.Error{Kind: fault.BadArgument, Pos: pos, Msg: "CAST does not round to " + decimals + " decimals",
		Hint: "write round(CAST(x AS REAL), " + decimals + ")"}
	if decimals == "0" {
		e.Hint = "write CAST(round(x) AS INTEGER)"
	}
	return e
}
