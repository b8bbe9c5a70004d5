package query

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// How values of SQL become those of Go, and back, for functions of the program.

// A goParam says how a parameter gets its value. Texts are copied: the function may keep them, and the
// memory of a row is used again.
type goParam struct {
	typ      Type // what it is called in SQL
	nullable bool // it takes NULL
	from     func(v value.Value) (reflect.Value, error)
}

// A goResult says how a result becomes a value.
type goResult struct {
	typ   Type
	value func(x reflect.Value) (value.Value, error)
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawJSONType = reflect.TypeFor[json.RawMessage]()
	anyType     = reflect.TypeFor[any]()
	scannerType = reflect.TypeFor[sql.Scanner]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
)

// goParamOf returns how a parameter of a type gets its value; ok is false if none fits.
func goParamOf(t reflect.Type) (p goParam, ok bool) {
	switch {
	case t == anyType:
		return goParam{Any, true, func(v value.Value) (reflect.Value, error) {
			return reflect.ValueOf(&[]any{goAny(v)}[0]).Elem(), nil
		}}, true
	case t == timeType:
		return goParam{Timestamp, false, toGoTime}, true
	case t == rawJSONType:
		return goParam{JSON, false, toGoJSON(t)}, true
	case reflect.PointerTo(t).Implements(scannerType):
		return goParam{Any, true, toScanner(t)}, true
	}
	switch t.Kind() {
	case reflect.Pointer:
		return goPointer(t)
	case reflect.String:
		return goParam{Text, false, func(v value.Value) (reflect.Value, error) {
			return reflect.ValueOf(strings.Clone(v.Text())).Convert(t), nil
		}}, true
	case reflect.Bool:
		return goParam{Integer, false, toGoBool(t)}, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return goParam{Integer, false, toGoInt(t)}, true
	case reflect.Float32, reflect.Float64:
		return goParam{Real, false, toGoFloat(t)}, true
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return goParam{Blob, false, func(v value.Value) (reflect.Value, error) {
				return reflect.ValueOf([]byte(v.Text())).Convert(t), nil
			}}, true
		}
		return goParam{JSON, false, toGoJSON(t)}, true
	}
	return p, false
}

// goPointer is a pointer to what a parameter may be, nil for NULL.
func goPointer(t reflect.Type) (goParam, bool) {
	p, ok := goParamOf(t.Elem())
	from := p.from
	return goParam{p.typ, true, func(v value.Value) (reflect.Value, error) {
		if v.Kind == value.Null {
			return reflect.Zero(t), nil
		}
		x, err := from(v)
		if err != nil {
			return x, err
		}
		place := reflect.New(t.Elem())
		place.Elem().Set(x)
		return place, nil
	}}, ok && t.Elem().Kind() != reflect.Pointer
}

// goAny is a value as database/sql has it.
func goAny(v value.Value) any {
	switch v.Kind {
	case value.Int:
		return v.N
	case value.Float:
		return v.F
	case value.Time:
		return time.UnixMicro(v.N).UTC()
	case value.String:
		return strings.Clone(v.S)
	case value.Bytes:
		return []byte(v.S)
	}
	return nil
}

// wrongValue is the error for a value that a parameter does not take.
func wrongValue(v value.Value, want string) error {
	return fmt.Errorf("it takes %s, and this is a value of type %s", want, v.TypeName())
}

func toGoTime(v value.Value) (reflect.Value, error) {
	micros, ok := v.N, v.Kind == value.Time
	if v.Kind == value.String {
		micros, ok = value.ParseTime(v.S)
	}
	if !ok {
		return reflect.Value{}, wrongValue(v, "a time")
	}
	return reflect.ValueOf(time.UnixMicro(micros).UTC()), nil
}

func toGoBool(t reflect.Type) func(v value.Value) (reflect.Value, error) {
	return func(v value.Value) (reflect.Value, error) {
		if !v.Kind.IsNumber() {
			return reflect.Value{}, wrongValue(v, "a condition, which is a number")
		}
		return reflect.ValueOf(v.Real() != 0).Convert(t), nil
	}
}

func toGoInt(t reflect.Type) func(v value.Value) (reflect.Value, error) {
	return func(v value.Value) (reflect.Value, error) {
		n, ok := v.N, v.Kind == value.Int
		if v.Kind == value.Float {
			n, ok = value.IsInt(v.F)
		}
		if !ok {
			return reflect.Value{}, wrongValue(v, "a whole number")
		}
		x := reflect.ValueOf(n).Convert(t)
		if back := x.Convert(reflect.TypeFor[int64]()); back.Int() != n || x.CanUint() && n < 0 {
			return reflect.Value{}, fmt.Errorf("%d does not fit into a %s", n, t)
		}
		return x, nil
	}
}

func toGoFloat(t reflect.Type) func(v value.Value) (reflect.Value, error) {
	return func(v value.Value) (reflect.Value, error) {
		if !v.Kind.IsNumber() {
			return reflect.Value{}, wrongValue(v, "a number")
		}
		return reflect.ValueOf(v.Real()).Convert(t), nil
	}
}

// toGoJSON fills a value from JSON.
func toGoJSON(t reflect.Type) func(v value.Value) (reflect.Value, error) {
	return func(v value.Value) (reflect.Value, error) {
		place := reflect.New(t)
		if err := json.Unmarshal([]byte(v.Text()), place.Interface()); err != nil {
			return reflect.Value{}, fmt.Errorf("it takes JSON: %w", err)
		}
		return place.Elem(), nil
	}
}

func toScanner(t reflect.Type) func(v value.Value) (reflect.Value, error) {
	return func(v value.Value) (reflect.Value, error) {
		place := reflect.New(t)
		err := place.Interface().(sql.Scanner).Scan(goAny(v))
		return place.Elem(), err
	}
}

// goResultOf returns how a result of a type becomes a value; ok is false if it does not.
func goResultOf(t reflect.Type) (r goResult, ok bool) {
	switch {
	case t == anyType:
		return goResult{Any, fromGoAny}, true
	case t == timeType:
		return goResult{Timestamp, func(x reflect.Value) (value.Value, error) {
			return fromDriver(x.Interface())
		}}, true
	case t == rawJSONType:
		return goResult{JSON, func(x reflect.Value) (value.Value, error) { return ofGoJSON(x.Bytes()) }}, true
	case t.Implements(valuerType):
		return goResult{Any, fromValuer}, true
	}
	switch t.Kind() {
	case reflect.Pointer:
		return fromPointer(t)
	case reflect.String:
		return goResult{Text, func(x reflect.Value) (value.Value, error) {
			return value.OfText(x.String()), nil
		}}, true
	case reflect.Bool:
		return goResult{Integer, func(x reflect.Value) (value.Value, error) {
			return value.OfBool(x.Bool()), nil
		}}, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return goResult{Integer, func(x reflect.Value) (value.Value, error) {
			return value.OfInt(x.Int()), nil
		}}, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return goResult{Integer, fromUint}, true
	case reflect.Float32, reflect.Float64:
		return goResult{Real, func(x reflect.Value) (value.Value, error) {
			return value.OfReal(x.Float()), nil
		}}, true
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return goResult{Blob, fromBytes}, true
		}
		return goResult{JSON, fromGoJSON}, true
	}
	return r, false
}

func fromUint(x reflect.Value) (value.Value, error) {
	if n := int64(x.Uint()); n >= 0 {
		return value.OfInt(n), nil
	}
	return null, fmt.Errorf("the result %d does not fit into 63 bits", x.Uint())
}

func fromBytes(x reflect.Value) (value.Value, error) {
	if x.IsNil() {
		return null, nil
	}
	return value.OfBlob(value.StringOf(x.Bytes())), nil
}

// fromPointer is what a result points to, NULL for nil.
func fromPointer(t reflect.Type) (goResult, bool) {
	r, ok := goResultOf(t.Elem())
	of := r.value
	return goResult{r.typ, func(x reflect.Value) (value.Value, error) {
		if x.IsNil() {
			return null, nil
		}
		return of(x.Elem())
	}}, ok && t.Elem().Kind() != reflect.Pointer
}

// fromGoJSON makes JSON of a result.
func fromGoJSON(x reflect.Value) (value.Value, error) {
	if (x.Kind() == reflect.Slice || x.Kind() == reflect.Map) && x.IsNil() {
		return null, nil
	}
	text, err := json.Marshal(x.Interface())
	if err != nil {
		return null, err
	}
	return value.OfJSON(value.StringOf(text)), nil
}

// ofGoJSON is a result that the function says is JSON.
func ofGoJSON(text []byte) (value.Value, error) {
	switch {
	case text == nil:
		return null, nil
	case !engine.ValidJSON(text):
		return null, errors.New("the result is not JSON")
	}
	return value.OfJSON(value.StringOf(text)), nil
}

func fromValuer(x reflect.Value) (value.Value, error) {
	if x.Kind() == reflect.Pointer && x.IsNil() {
		return null, nil
	}
	v, err := x.Interface().(driver.Valuer).Value()
	if err != nil {
		return null, err
	}
	return fromDriver(v)
}

// fromGoAny is a result whose type is known when it is there.
func fromGoAny(x reflect.Value) (value.Value, error) {
	if x.IsNil() {
		return null, nil
	}
	x = x.Elem()
	r, ok := goResultOf(x.Type())
	if !ok {
		return null, fmt.Errorf("the result is a %s, which is no SQL value", x.Type())
	}
	return r.value(x)
}

func fromDriver(v any) (value.Value, error) {
	return value.FromDriver(v, func(b []byte) string { return string(b) })
}
