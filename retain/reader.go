package retain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// A reader reads JSON token by token, so that every mistake has its line.
type reader struct {
	text []byte
	d    *json.Decoder
	at   int    // where the token that was read last begins
	rule string // the name of the rule that is being read, as soon as it is known
}

func newReader(text []byte) *reader {
	return &reader{text: text, d: json.NewDecoder(bytes.NewReader(text))}
}

// line is that of a place in the text.
func (r *reader) line(at int) int {
	return 1 + bytes.Count(r.text[:min(max(at, 0), len(r.text))], []byte{'\n'})
}

// fault is a mistake at the token that was read last.
func (r *reader) fault(format string, args ...any) *PolicyError {
	return r.faultAt(r.at, format, args...)
}

func (r *reader) faultAt(at int, format string, args ...any) *PolicyError {
	return &PolicyError{Line: r.line(at), Rule: r.rule, Reason: fmt.Sprintf(format, args...)}
}

// step notes where the next token begins.
func (r *reader) step() {
	r.at = int(r.d.InputOffset())
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[r.at]) >= 0 {
		r.at++
	}
}

// kinds are what JSON calls the kinds of Go.
var kinds = map[reflect.Kind]string{
	reflect.String: "a text", reflect.Int64: "a whole number", reflect.Slice: "a list of texts",
}

// wrong says what is wrong after an error of the decoder, which read a value of a kind.
func (r *reader) wrong(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return r.faultAt(int(syntax.Offset)-1, "%s", syntax.Error())
	case errors.As(err, &kind):
		return r.fault("%s must stand here, not %s", kinds[kind.Type.Kind()], kind.Value)
	}
	return r.faultAt(len(r.text), "the text ends too early")
}

// value reads the next value into v, which points to a text, an int64 or a list of texts.
func (r *reader) value(v any) error {
	r.step()
	var raw json.RawMessage
	if err := r.d.Decode(&raw); err != nil {
		return r.wrong(err)
	}
	if string(raw) == "null" {
		return r.fault("null must not stand here; leave the key out")
	}
	return r.wrong(json.Unmarshal(raw, v))
}

// someText reads a text that is not empty.
func (r *reader) someText(text *string) error {
	if err := r.value(text); err != nil {
		return err
	}
	return r.checkText(*text)
}

func (r *reader) checkText(text string) error {
	switch {
	case text == "":
		return r.fault("the text must not be empty")
	case strings.IndexByte(text, 0) >= 0 || strings.ContainsRune(text, utf8.RuneError):
		return r.fault("the text holds a NUL or is not valid UTF-8")
	}
	return nil
}

// texts reads a list of texts, at least one.
func (r *reader) texts(list *[]string) error {
	if err := r.value(list); err != nil {
		return err
	}
	if len(*list) == 0 {
		return r.fault("the list must not be empty; leave the key out for any")
	}
	for _, text := range *list {
		if err := r.checkText(text); err != nil {
			return err
		}
	}
	return nil
}

// delimiter reads one of { [ ] }.
func (r *reader) delimiter(want json.Delim, what string) error {
	r.step()
	token, err := r.d.Token()
	if err != nil {
		return r.wrong(err)
	}
	if token != want {
		return r.fault("%s must stand here", what)
	}
	return nil
}

// object reads an object: member reads the value of a key.
func (r *reader) object(member func(key string) error) error {
	if err := r.delimiter('{', "an object, { ... },"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for r.d.More() {
		r.step()
		token, err := r.d.Token()
		if err != nil {
			return r.wrong(err)
		}
		key, _ := token.(string)
		if seen[key] {
			return r.fault("the key %q is given twice", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return r.delimiter('}', "the end of an object, },")
}

// array reads an array: element reads one element.
func (r *reader) array(element func() error) error {
	if err := r.delimiter('[', "a list, [ ... ],"); err != nil {
		return err
	}
	for r.d.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return r.delimiter(']', "the end of a list, ],")
}

// end refuses what stands behind the text.
func (r *reader) end() error {
	r.step()
	if r.at < len(r.text) {
		return r.fault("something stands behind the policy")
	}
	return nil
}
