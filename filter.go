package eventfold

import "strings"

// A Filter says which events a decision depends on, for [Decide] and [Guard]. The zero Filter is all
// events. It is made by [Where], [WithTags] and [OfTypes].
type Filter struct {
	text string
	args []any
}

// Where is the filter of a condition of SQL on the columns of events, such as HAS(tags, ?) AND
// payload->>'$.kind' = ?. Its parameters are question marks, in the order of args.
func Where(condition string, args ...any) Filter { return Filter{condition, args} }

// WithTags is the filter of events that have all the tags.
func WithTags(tags ...string) Filter {
	var f Filter
	for _, tag := range tags {
		f = f.And(Where("HAS(tags, ?)", tag))
	}
	return f
}

// OfTypes is the filter of events of one of the types; without any, no event passes.
func OfTypes(types ...string) Filter {
	return Where("type IN (?)", types)
}

// And is the filter of events that pass both.
func (f Filter) And(g Filter) Filter {
	switch {
	case f.text == "":
		return g
	case g.text == "":
		return f
	}
	return f.join(" AND ", g)
}

// Or is the filter of events that pass one of both.
func (f Filter) Or(g Filter) Filter {
	if f.text == "" || g.text == "" { // all events
		return Filter{}
	}
	return f.join(" OR ", g)
}

func (f Filter) join(word string, g Filter) Filter {
	args := append(f.args[:len(f.args):len(f.args)], g.args...)
	return Filter{f.condition() + word + g.condition(), args}
}

// condition is the filter behind WHERE and between other words. The line that ends the text ends a
// comment in it, too.
func (f Filter) condition() string {
	if f.text == "" {
		return "TRUE"
	}
	if strings.Contains(f.text, "--") {
		return "(" + f.text + "\n)"
	}
	return "(" + f.text + ")"
}
