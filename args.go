package eventfold

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/parser"
)

// A list is an argument that was a slice. As the whole list of an IN it stands for its elements, anywhere else for a JSON array,
// or for NULL if the slice was nil.
type list []driver.Value

// checkArgument converts what database/sql itself would not take or would take wrongly, and leaves the rest to it.
func checkArgument(arg *driver.NamedValue) error {
	switch v := arg.Value.(type) {
	case nil, int64, float64, bool, string, time.Time:
		return nil
	case int: // as database/sql would, without reflection
		arg.Value = int64(v)
		return nil
	case []byte:
		if v == nil { // stands for NULL
			arg.Value = nil
		}
		return nil
	case json.RawMessage:
		arg.Value = []byte(v)
		if v == nil {
			arg.Value = nil
		}
		return nil
	case uuid.UUID:
		arg.Value = v.String()
		return nil
	case driver.Valuer:
		return driver.ErrSkip
	}
	return checkReflected(arg)
}

// checkReflected takes arrays of 16 bytes as UUIDs, slices as lists, pointers as what they point to, and what is nil as NULL.
func checkReflected(arg *driver.NamedValue) error {
	v := reflect.ValueOf(arg.Value)
	switch kind := v.Kind(); {
	case (kind == reflect.Pointer || kind == reflect.Map) && v.IsNil():
		arg.Value = nil
		return nil
	case kind == reflect.Pointer:
		arg.Value = v.Elem().Interface()
		return checkArgument(arg)
	case kind == reflect.Map || kind == reflect.Struct:
		return fault(ErrArgument, "bind", "a %T is no argument; wrap it in eventfold.JSON to store it as JSON", arg.Value)
	case kind == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 && v.IsNil():
		arg.Value = nil
		return nil
	case v.Kind() == reflect.Array && v.Len() == 16 && v.Type().Elem().Kind() == reflect.Uint8:
		var id uuid.UUID
		reflect.Copy(reflect.ValueOf(id[:]), v)
		arg.Value = id.String()
		return nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		if v.IsNil() {
			arg.Value = list(nil)
			return nil
		}
		values := make(list, v.Len())
		for i := range values {
			value, err := listElement(v.Index(i).Interface())
			if err != nil {
				return fmt.Errorf("element %d of %T: %w", i, arg.Value, err)
			}
			values[i] = value
		}
		arg.Value = values
		return nil
	}
	return driver.ErrSkip
}

func listElement(v any) (driver.Value, error) {
	element := driver.NamedValue{Value: v}
	err := checkArgument(&element)
	if err == driver.ErrSkip {
		return driver.DefaultParameterConverter.ConvertValue(element.Value)
	}
	if _, nested := element.Value.(list); nested {
		return nil, fmt.Errorf("a slice of slices is no argument; wrap it in eventfold.JSON")
	}
	return element.Value, err
}

// jsonArray is the list as the text of a JSON array.
func (l list) jsonArray() (string, error) {
	values := make([]any, len(l))
	for i, v := range l {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		if text, ok := v.(string); ok && !utf8.ValidString(text) {
			return "", fmt.Errorf("element %d of the slice is not valid UTF-8", i)
		}
		values[i] = v
	}
	text, err := json.Marshal(values)
	return string(text), err
}

// expandLists replaces arguments that are lists. Where a list is the argument of IN (?), the statement becomes one with as many
// placeholders as the list has elements; it is compiled like any other text, and cached.
func (c *Conn) expandLists(ctx context.Context, s *statement, args []driver.NamedValue) (*statement, []driver.NamedValue, error) {
	if !slices.ContainsFunc(args, isList) {
		return s, args, nil
	}
	x := expansion{text: s.text, params: listParams(s.tree), lists: make(map[*parser.Param]string)}
	for _, arg := range args {
		if err := x.add(arg); err != nil {
			return nil, nil, err
		}
	}
	expanded, err := c.compile(ctx, x.rewrite())
	return expanded, x.args, err
}

func isList(arg driver.NamedValue) bool {
	_, ok := arg.Value.(list)
	return ok
}

// listParams finds the placeholders that stand in the list of an IN.
func listParams(tree parser.Statement) []*parser.Param {
	var found []*parser.Param
	visit(reflect.ValueOf(tree), func(node any) {
		if in, ok := node.(*parser.In); ok {
			for _, e := range in.List {
				if p, ok := e.(*parser.Param); ok {
					found = append(found, p)
				}
			}
		}
	})
	return found
}

// visit calls f for every pointer of a tree, parents first, children in the order of their fields.
func visit(v reflect.Value, f func(node any)) {
	switch v.Kind() {
	case reflect.Interface:
		visit(v.Elem(), f)
	case reflect.Pointer:
		if !v.IsNil() {
			f(v.Interface())
			visit(v.Elem(), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			visit(v.Field(i), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), f)
		}
	}
}

// An expansion makes of a statement and arguments with lists a statement and arguments without.
type expansion struct {
	text   string
	params []*parser.Param // in the lists of INs
	args   []driver.NamedValue
	lists  map[*parser.Param]string // the placeholders to put in a param's place
}

// add takes the next argument over.
func (x *expansion) add(arg driver.NamedValue) error {
	values, isList := arg.Value.(list)
	if !isList {
		x.append(arg.Name, arg.Value)
		return nil
	}
	places := x.places(arg)
	switch {
	case len(places) == 0 && values == nil:
		x.append(arg.Name, nil)
		return nil
	case len(places) == 0:
		text, err := values.jsonArray()
		if err != nil {
			return &Error{Code: ErrArgument, Op: "bind", Err: err}
		}
		x.append(arg.Name, text)
		return nil
	}
	most := parser.MaxParams
	if arg.Name != "" {
		most = parser.MaxNames
	}
	if len(x.args)+len(values) > most {
		return fault(ErrArgument, "bind", "a slice of %d values for IN is too long: a statement takes %d arguments in all (%d by name), "+
			"each value counted; ask in parts", len(values), parser.MaxParams, parser.MaxNames)
	}
	placeholders := make([]string, len(values))
	for i, v := range values {
		name := ""
		placeholders[i] = "?"
		if arg.Name != "" {
			name = fmt.Sprintf("%s__%d", arg.Name, i)
			placeholders[i] = ":" + name
		}
		x.append(name, v)
	}
	for _, p := range places {
		if end := int(p.Pos) + 1; p.Name == "" && (x.text[p.Pos] != '?' || end < len(x.text) && '0' <= x.text[end] && x.text[end] <= '9') {
			return fault(ErrArgument, "bind", "a slice for IN needs a placeholder ? or :name, not a numbered one")
		}
		x.lists[p] = strings.Join(placeholders, ", ")
	}
	return nil
}

func (x *expansion) append(name string, value driver.Value) {
	x.args = append(x.args, driver.NamedValue{Name: name, Ordinal: len(x.args) + 1, Value: value})
}

// places returns the placeholders in the lists of INs that take the argument.
func (x *expansion) places(arg driver.NamedValue) (found []*parser.Param) {
	for _, p := range x.params {
		if p.Name != "" && p.Name == arg.Name || p.Name == "" && p.Index == arg.Ordinal {
			found = append(found, p)
		}
	}
	return found
}

// rewrite returns the text with the lists in place.
func (x *expansion) rewrite() string {
	slices.SortFunc(x.params, func(a, b *parser.Param) int { return cmp.Compare(a.Pos, b.Pos) })
	var out strings.Builder
	done := 0
	for _, p := range x.params {
		if placeholders, ok := x.lists[p]; ok {
			out.WriteString(x.text[done:p.Pos])
			out.WriteString(placeholders)
			done = int(p.Pos) + 1 + len(p.Name)
		}
	}
	out.WriteString(x.text[done:])
	return out.String()
}
