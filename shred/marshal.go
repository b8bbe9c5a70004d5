package shred

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// Marshal returns the JSON of a Go value, as encoding/json makes it, in which the fields with a tag
// are sealed:
//
//	Email string `json:"email" pii:"Customer"`
//
// The tag gives the Go name of the field that holds the subject, in the same struct or in one around
// it: a string, a number or a TextMarshaler, which is not sealed itself. Structs in pointers,
// slices, maps and interfaces are obeyed as well, also inside of fields that are sealed. What is
// null stays so, and so does the zero value of a field whose subject is empty; any other value
// without a subject is an error, as is a tag that cannot be obeyed: nothing that has a tag is ever
// left open.
//
// at is where the whole value stands, with the path $ for a payload and metadata$ for metadata.
func Marshal(ctx context.Context, keys Keyring, at Place, v any) ([]byte, error) {
	at, err := at.canonical()
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	s := &sealer{ctx: ctx, keys: keys, at: at}
	if raw, err = s.value(reflect.ValueOf(v), raw, at.Path, nil); err != nil {
		return nil, err // and nothing that is not sealed
	}
	return raw, nil
}

// A sealer seals the fields of one value.
type sealer struct {
	ctx  context.Context
	keys Keyring
	at   Place
	depth
}

// A depth counts how deep a value is that is looked into.
type depth int

// maxDepth is how deep values may be inside of each other where tags are looked for. Each level is
// read once more.
const maxDepth = 100

// enter counts one more level, which leave takes back.
func (d *depth) enter() error {
	if *d++; *d > maxDepth {
		return &ArgumentError{What: "value", Reason: "is nested more than 100 levels deep"}
	}
	return nil
}

func (d *depth) leave() { *d-- }

// value returns raw, the JSON of v, with what is to be sealed in it sealed. around are the structs
// that v is in, the innermost last.
func (s *sealer) value(
	v reflect.Value, raw []byte, path string, around []reflect.Value,
) ([]byte, error) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return raw, nil
		}
		v = v.Elem()
	}
	if !v.IsValid() || isNull(raw) || !mayHold(v.Type()) {
		return raw, nil
	}
	if custom, err := isCustom(v.Type()); custom {
		return raw, err
	}
	defer s.leave()
	if err := s.enter(); err != nil {
		return nil, err
	}
	kind := v.Kind()
	list, err := split(raw)
	if err != nil {
		return nil, err
	}
	switch kind {
	case reflect.Struct:
		err = s.fields(v, list, path, append(around[:len(around):len(around)], v))
	case reflect.Slice, reflect.Array:
		for i := 0; i < len(list) && err == nil; i++ {
			list[i].value, err = s.value(v.Index(i), list[i].value, path+elementStep(i), around)
		}
	case reflect.Map:
		err = s.entries(v, list, path, around)
	}
	if err != nil {
		return nil, err
	}
	return join(list, kind == reflect.Struct || kind == reflect.Map)
}

// fields seals the members of the object that a struct has become.
func (s *sealer) fields(v reflect.Value, list []member, path string, around []reflect.Value) error {
	sh, err := shapeOf(v.Type())
	if err != nil {
		return err
	}
	for _, f := range sh.fields {
		of, err := v.FieldByIndexErr(f.index)
		if err != nil {
			continue // in an embedded pointer that is nil, which JSON has left out
		}
		m := find(list, f.name)
		if m == nil {
			if !isEmpty(of) { // so that JSON has another name for it, or leaves out what it should not
				return &ArgumentError{
					What: "field " + v.Type().String() + " " + f.name, Reason: "is not in the JSON",
				}
			}
			continue
		}
		where := path + memberStep(f.name)
		if m.value, err = s.value(of, m.value, where, around); err == nil && f.subject != "" {
			m.value, err = s.field(f, of, m.value, where, around)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isEmpty tells whether a field may be missing in the JSON.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

// field seals one field.
func (s *sealer) field(
	f field, v reflect.Value, raw []byte, path string, around []reflect.Value,
) (json.RawMessage, error) {
	subject, err := subjectOf(f, around)
	if err != nil {
		return nil, err
	}
	if isNull(raw) || subject == "" && v.IsZero() {
		return raw, nil
	}
	return sealJSON(s.ctx, s.keys, Place{s.at.Stream, s.at.Type, path}, subject, raw)
}

// entries seals what is in the values of a map.
func (s *sealer) entries(v reflect.Value, list []member, path string, around []reflect.Value) error {
	byKey := make(map[string]*member, len(list))
	for i := range list {
		byKey[list[i].key] = &list[i]
	}
	for it := v.MapRange(); it.Next(); {
		key, err := textOf(it.Key())
		if err != nil {
			return err
		}
		m := byKey[key]
		if m == nil {
			return &ArgumentError{What: "key " + strconv.Quote(key), Reason: "is not what JSON has for it"}
		}
		m.value, err = s.value(it.Value(), m.value, path+memberStep(key), around)
		if err != nil {
			return err
		}
	}
	return nil
}

// find returns the member with a key, nil if there is none.
func find(list []member, key string) *member {
	for i := range list {
		if list[i].key == key {
			return &list[i]
		}
	}
	return nil
}

// subjectOf returns the subject of a field, from the innermost struct that has the field which the
// tag names.
func subjectOf(f field, around []reflect.Value) (string, error) {
	for i := len(around) - 1; i >= 0; i-- {
		of, ok := around[i].Type().FieldByName(f.subject)
		if !ok {
			continue
		}
		v, err := around[i].FieldByIndexErr(of.Index)
		if err != nil {
			return "", nil // of an embedded pointer that is nil
		}
		if !of.IsExported() {
			break // which JSON does not have: who reads could not compare it
		}
		return textOf(v)
	}
	return "", &ArgumentError{
		What:   fmt.Sprintf("struct tag %s:%q of the field for %q", tagKey, f.subject, f.name),
		Reason: "names no exported field of the struct or of one around it",
	}
}

// textOf returns a name: a text, a number, or what makes a text of itself.
func textOf(v reflect.Value) (string, error) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return "", nil
		}
		if _, ok := v.Interface().(encoding.TextMarshaler); ok {
			break
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.String {
		return v.String(), nil
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	}
	return "", &ArgumentError{
		What: "type " + v.Type().String(), Reason: "is neither a text, a number nor a TextMarshaler: it names nobody",
	}
}
