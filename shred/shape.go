package shred

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// tagKey is the key of the struct tags: pii:"Field" seals under the subject that Field names.
const tagKey = "pii"

// A shape is what a struct type means to sealing: its fields as encoding/json sees them, as far as
// they are sealed or may hold what is.
type shape struct {
	fields []field
	err    error // a tag that cannot be obeyed
}

// A field is one member of the object that a struct becomes.
type field struct {
	name    string // of the member
	index   []int  // for reflect.Value.FieldByIndexErr
	typ     reflect.Type
	subject string // the Go name of the field that holds the subject; "" if it is not sealed
}

// shapes are the shapes of struct types that have been met.
var shapes sync.Map // of reflect.Type to *shape

// shapeOf returns the shape of a struct type.
func shapeOf(t reflect.Type) (*shape, error) {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape), s.(*shape).err
	}
	s := &shape{}
	names := map[string]bool{} // of members, and whether one of that name is sealed
	s.err = s.collect(t, nil, names, map[reflect.Type]bool{})
	shapes.Store(t, s)
	return s, s.err
}

// collect adds the fields of a struct, and of those embedded in it, whose fields JSON has beside
// the others.
func (s *shape) collect(
	t reflect.Type, above []int, names map[string]bool, within map[reflect.Type]bool,
) error {
	if within[t] {
		return nil
	}
	within[t] = true
	defer delete(within, t)
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(above[:len(above):len(above)], i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		subject, tagged := f.Tag.Lookup(tagKey)
		switch {
		case f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && tag == "" && direct(f.Type).Kind() == reflect.Struct:
			if tagged {
				return badTag(t, f, "is on an embedded struct, which JSON has no member for; name it")
			}
			if err := s.collect(direct(f.Type), index, names, within); err != nil {
				return err
			}
			continue
		case !f.IsExported():
			continue
		case tagged && subject == "":
			return badTag(t, f, "does not name the field that holds the subject")
		}
		if tag == "" {
			tag = f.Name
		}
		sealed, twice := names[tag]
		if names[tag] = sealed || tagged; twice && names[tag] {
			return badTag(t, f, "cannot be obeyed: two fields have the JSON name "+strconv.Quote(tag))
		}
		if tagged || mayHold(f.Type) {
			s.fields = append(s.fields, field{tag, index, f.Type, subject})
		}
	}
	return nil
}

// badTag is the error for a tag that cannot be obeyed.
func badTag(t reflect.Type, f reflect.StructField, reason string) error {
	return &ArgumentError{
		What: "struct tag " + tagKey + ":" + strconv.Quote(f.Tag.Get(tagKey)) + " of " + t.String() +
			"." + f.Name,
		Reason: reason,
	}
}

// direct returns what a type points to.
func direct(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// mayHold tells whether a value of the type may hold fields that are sealed: it has tags somewhere,
// or is an interface.
func mayHold(t reflect.Type) bool {
	return remembered(&holders, t, func(t reflect.Type) bool {
		return t.Kind() == reflect.Interface || hasTag(t)
	})
}

// hasTags tells whether a type has tags somewhere.
func hasTags(t reflect.Type) bool { return remembered(&tagged, t, hasTag) }

// What mayHold and hasTags have found out.
var holders, tagged sync.Map // of reflect.Type to bool

// remembered is reaches, asked once for each type.
func remembered(known *sync.Map, t reflect.Type, found func(reflect.Type) bool) bool {
	if yes, ok := known.Load(t); ok {
		return yes.(bool)
	}
	yes := reaches(t, found)
	known.Store(t, yes)
	return yes
}

// hasTag tells whether a struct has a tag itself.
func hasTag(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if _, ok := t.Field(i).Tag.Lookup(tagKey); ok {
			return true
		}
	}
	return false
}

// reaches tells whether a type, or one that its values are made of, is what is looked for.
func reaches(t reflect.Type, found func(reflect.Type) bool) bool {
	seen := map[reflect.Type]bool{}
	var look func(t reflect.Type) bool
	look = func(t reflect.Type) bool {
		if seen[t] {
			return false
		}
		seen[t] = true
		if found(t) {
			return true
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			return look(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				if look(t.Field(i).Type) {
					return true
				}
			}
		}
		return false
	}
	return look(t)
}

// What a type may say about its JSON itself.
var customTypes = []reflect.Type{
	reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](),
	reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
}

// isCustom tells whether a type makes, or reads, its JSON itself, so that its fields are unknown
// there. One that has tags all the same is an error: they would not be obeyed.
func isCustom(t reflect.Type) (bool, error) {
	for _, c := range customTypes {
		if !t.Implements(c) && !reflect.PointerTo(t).Implements(c) {
			continue
		}
		if hasTags(t) {
			return true, &ArgumentError{
				What:   "type " + t.String(),
				Reason: "has " + tagKey + " tags, and a " + c.Method(0).Name + " that does not obey them",
			}
		}
		return true, nil
	}
	return false, nil
}
