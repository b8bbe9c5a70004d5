package expr

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// Document returns a value as a JSON document, for functions in FROM; ok is false if there is none:
// it is NULL or a blob that is not JSON, as a payload may be. A text that is neither JSON nor JSON5
// is an error of the environment.
func Document(e *Env, v value.Value, pos parser.Pos) (doc string, ok bool) {
	return document(e, v, pos)
}

// BadPath is the error for a text that is no JSON path.
func BadPath(path string, pos parser.Pos) error { return badPath(path, pos) }
