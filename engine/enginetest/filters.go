package enginetest

import (
	"reflect"

	"github.com/eventfold/eventfold/engine"
)

// TriedFilters notes which fields of filters a random test has set, so that a field that is new is
// not forgotten there. The zero value has seen none. One goroutine uses it.
type TriedFilters struct{ set map[string]bool }

// Add notes a filter.
func (t *TriedFilters) Add(f engine.Filter) {
	if t.set == nil {
		t.set = map[string]bool{}
	}
	t.note("", reflect.ValueOf(f))
	for _, a := range f.Any {
		t.note("Any.", reflect.ValueOf(a))
	}
}

// note notes the fields of a struct that are not zero.
func (t *TriedFilters) note(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			t.set[prefix+v.Type().Field(i).Name] = true
		}
	}
}

// Missing returns the fields of Filter, and behind "Any." those of Alternative, that no filter has
// set.
func (t *TriedFilters) Missing() (names []string) {
	all := func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			if name := prefix + typ.Field(i).Name; !t.set[name] {
				names = append(names, name)
			}
		}
	}
	all("", reflect.TypeFor[engine.Filter]())
	all("Any.", reflect.TypeFor[engine.Alternative]())
	return names
}
