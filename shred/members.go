package shred

import (
	"bytes"
	"encoding/json"
)

// A member is one of a JSON object's, in its order, or, without a key, an element of an array.
type member struct {
	key   string
	value json.RawMessage
}

// split returns the members of an object or the elements of an array.
func split(raw []byte) (list []member, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	open, err := d.Token()
	if err != nil {
		return nil, err
	}
	for d.More() {
		var m member
		if open == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			m.key, _ = key.(string)
		}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// join makes the object, or the array, of its parts again.
func join(list []member, object bool) (raw []byte, err error) {
	b := []byte{'['}
	if object {
		b[0] = '{'
	}
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if object {
			key, err := json.Marshal(m.key)
			if err != nil {
				return nil, err
			}
			b = append(append(b, key...), ':')
		}
		b = append(b, m.value...)
	}
	if object {
		return append(b, '}'), nil
	}
	return append(b, ']'), nil
}

// opens tells what JSON begins with: {, [, or another byte for all that has no members.
func opens(raw []byte) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// isNull tells whether JSON is null.
func isNull(raw []byte) bool { return string(bytes.TrimSpace(raw)) == "null" }
