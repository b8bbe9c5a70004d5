package eventfold

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/query"
)

// checkArgument converts what database/sql itself would not take or would take wrongly, and leaves
// the rest to it.
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

// checkReflected takes arrays of 16 bytes as UUIDs, slices as lists, pointers as what they point
// to, and what is nil as NULL.
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
		return fault(ErrArgument, "bind",
			"a %T is no argument; wrap it in eventfold.JSON to store it as JSON", arg.Value)
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
			arg.Value = query.List(nil)
			return nil
		}
		values := make(query.List, v.Len())
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
	if _, nested := element.Value.(query.List); nested {
		return nil, fmt.Errorf("a slice of slices is no argument; wrap it in eventfold.JSON")
	}
	return element.Value, err
}
