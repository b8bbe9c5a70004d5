package shred

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
)

// Unmarshal reads JSON that Marshal has made in the same place into what v points to, which is
// replaced as a whole, or not at all if there is an error. It returns the paths of the values that
// cannot be opened because their subjects are forgotten; their fields have their zero values. A
// field whose value was sealed for another subject than the one that its tag leads to is a
// [*NotAuthenticError], as is one that was sealed elsewhere. What is not sealed is read as it is, and
// what stands in an interface is left sealed.
func Unmarshal(ctx context.Context, keys Keyring, at Place, data []byte, v any) (
	forgotten []string, err error,
) {
	at, err = at.canonical()
	if err != nil {
		return nil, err
	}
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return nil, &json.InvalidUnmarshalError{Type: reflect.TypeOf(v)}
	}
	if !json.Valid(data) {
		return nil, json.Unmarshal(data, v) // which changes nothing and says what is wrong
	}
	o := &opener{ctx: ctx, keys: keys, at: at, subjects: map[string]string{}}
	plain, err := o.value(target.Type().Elem(), data, at.Path)
	if err != nil {
		return nil, err
	}
	read := reflect.New(target.Type().Elem())
	if err := json.Unmarshal(plain, read.Interface()); err != nil {
		return nil, err
	}
	if err := o.compare(read.Elem(), at.Path, nil); err != nil {
		return nil, err
	}
	for path, subject := range o.subjects { // which lead to no field
		return nil, o.fault(path, subject, "nothing tells whose it is")
	}
	target.Elem().Set(read.Elem())
	return o.forgotten, nil
}

// An opener opens the fields of one value.
type opener struct {
	ctx       context.Context
	keys      Keyring
	at        Place
	subjects  map[string]string // of what was opened, by path; compare takes out what is right
	forgotten []string
	depth
}

// value returns raw, the JSON of a value of type t, with what is sealed in it opened.
func (o *opener) value(t reflect.Type, raw []byte, path string) ([]byte, error) {
	t = direct(t)
	if !hasTags(t) || isNull(raw) {
		return raw, nil
	}
	if custom, err := isCustom(t); custom {
		return raw, err
	}
	defer o.leave()
	if err := o.enter(); err != nil {
		return nil, err
	}
	object := t.Kind() == reflect.Struct || t.Kind() == reflect.Map
	if kind := opens(raw); object && kind != '{' || !object && kind != '[' {
		return raw, nil // encoding/json says what is wrong
	}
	list, err := split(raw)
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case reflect.Struct:
		list, err = o.fields(t, list, path)
	case reflect.Slice, reflect.Array, reflect.Map:
		for i := 0; i < len(list) && err == nil; i++ {
			step := elementStep(i)
			if object {
				step = memberStep(list[i].key)
			}
			list[i].value, err = o.value(t.Elem(), list[i].value, path+step)
		}
	}
	if err != nil {
		return nil, err
	}
	return join(list, object)
}

// fields opens the members of the object that becomes a struct. Those that are forgotten are left
// out.
func (o *opener) fields(t reflect.Type, list []member, path string) (kept []member, err error) {
	sh, err := shapeOf(t)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		f := sh.field(m.key)
		if f == nil {
			kept = append(kept, m)
			continue
		}
		where := path + memberStep(f.name)
		if f.subject != "" {
			m.value, err = o.field(m.value, where)
		}
		if errors.Is(err, ErrForgotten) {
			o.forgotten = append(o.forgotten, where)
			continue
		}
		if err == nil {
			m.value, err = o.value(f.typ, m.value, where)
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, m)
	}
	return kept, nil
}

// field opens one field, and remembers whose it is.
func (o *opener) field(raw []byte, path string) ([]byte, error) {
	plain, subject, err := revealJSON(o.ctx, o.keys, Place{o.at.Stream, o.at.Type, path}, raw)
	if err == nil && subject != "" {
		o.subjects[path] = subject
	}
	return plain, err
}

// field returns the field of a member, nil if it is nothing to sealing.
func (s *shape) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// compare holds that every value was sealed for the subject that its tag leads to, now that the
// fields which name the subjects have been read.
func (o *opener) compare(v reflect.Value, path string, around []reflect.Value) error {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if len(o.subjects) == 0 || !hasTags(v.Type()) {
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return o.compareFields(v, path, append(around[:len(around):len(around)], v))
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := o.compare(v.Index(i), path+elementStep(i), around); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			key, err := textOf(it.Key())
			if err == nil {
				err = o.compare(it.Value(), path+memberStep(key), around)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *opener) compareFields(v reflect.Value, path string, around []reflect.Value) error {
	if custom, err := isCustom(v.Type()); custom {
		return err
	}
	sh, err := shapeOf(v.Type())
	if err != nil {
		return err
	}
	for _, f := range sh.fields {
		of, err := v.FieldByIndexErr(f.index)
		if err != nil {
			continue
		}
		where := path + memberStep(f.name)
		if got, ok := o.subjects[where]; ok {
			want, err := subjectOf(f, around)
			if err != nil {
				return err
			}
			if got != want {
				return o.fault(where, got, "it was sealed for another subject than the event names")
			}
			delete(o.subjects, where)
		}
		if err := o.compare(of, where, around); err != nil {
			return err
		}
	}
	return nil
}

func (o *opener) fault(path, subject, reason string) error {
	return &NotAuthenticError{Place: Place{o.at.Stream, o.at.Type, path}, Subject: subject, Reason: reason}
}
