package query

import (
	"strings"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// categoryBound narrows the stream to names that begin as all the categories do. A stream is of the
// category that stands before its first -, and some whose names begin so are not.
func (w *narrowing) categoryBound(operands []*expr.Expr, values []value.Value) {
	w.inexact = true
	w.categories = w.textBound(w.categories, operands, values)
	if len(w.categories) == 0 {
		return
	}
	prefix := w.categories[0]
	for _, c := range w.categories {
		for !strings.HasPrefix(c, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	if len(prefix) > len(w.prefix) {
		w.prefix = prefix
	}
}

// inCategories appends the streams of the categories to found. complete is false if there are too
// many to look at, or a category that no beginning of a name tells.
func inCategories(ex *execution, categories []string, found *[]string, left *int) (complete bool, err error) {
	for _, category := range categories {
		if *left--; *left < 0 || category == "" {
			return false, nil
		}
		named, err := isStream(ex, category)
		if err != nil {
			return false, err
		}
		if named && expr.Category(category) == category {
			*found = append(*found, category)
		}
		match := func(name string) bool { return expr.Category(name) == category }
		if complete, err := matching(ex, category+"-", match, found, left); err != nil || !complete {
			return false, err
		}
	}
	return true, nil
}

// isStream reports whether there is a stream of the name: in byte order, it comes before longer
// ones.
func isStream(ex *execution, name string) (bool, error) {
	c := quiet(ex.index).Streams(ex.ctx, name)
	is := c.Next() && c.Stream().Stream == name
	err := c.Err()
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return is, err
}
