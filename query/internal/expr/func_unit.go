package expr

import (
	"errors"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// unitFirst are the functions whose first argument is a unit of time.
var unitFirst = map[string]bool{
	"date_diff": true, "datediff": true, "datesub": true, "date_trunc": true, "date_part": true, "datepart": true,
}

// hintUnit says, of an error about the first argument of such a function that is a name, that a unit
// is a text here.
func hintUnit(e *parser.Call, err error) error {
	if !unitFirst[e.Name] || len(e.Args) == 0 {
		return err
	}
	unit, ok := e.Args[0].(*parser.Column)
	var f *fault.Error
	if ok && unit.Table == "" && errors.As(err, &f) && f.Pos == unit.Pos {
		f.Hint = "a unit of time is a text: write " + e.Name + "('day', ...)"
	}
	return err
}
