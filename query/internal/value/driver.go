package value

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// FromDriver turns an argument of database/sql into a Value. Times are cut to microseconds; a nil
// []byte is NULL, as database/sql hands over a nil json.RawMessage. text makes a text of bytes that
// their owner may write to again.
func FromDriver(v driver.Value, text func([]byte) string) (Value, error) {
	switch v := v.(type) {
	case nil:
		return null, nil
	case int64:
		return OfInt(v), nil
	case float64:
		return OfReal(v), nil
	case bool:
		truth := OfBool(v)
		truth.Flag = true
		return truth, nil
	case string:
		return OfText(v), nil
	case []byte:
		if v == nil {
			return null, nil
		}
		return OfBlob(text(v)), nil
	case time.Time:
		micros, ok := UnixMicro(v)
		if !ok {
			return null, errors.New("the time " + v.String() + " is outside of the years 0000 to 9999")
		}
		return OfTime(micros), nil
	}
	return null, fmt.Errorf("an argument cannot be a %T", v)
}
