package shred

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// A sealed value as JSON has it.
type sealed struct {
	Subject  string `json:"s"`
	Revision int    `json:"r"`
	Value    []byte `json:"v"` // nonce, ciphertext, tag
}

// sealedKey is the only member of the object that stands for a sealed value.
const sealedKey = "$sealed"

// Seal returns the JSON that stands for a value in a place: an object with the value sealed under
// the subject's key, which is made if there is none. value is what encoding/json takes; a
// json.RawMessage is JSON already. If the subject is forgotten the error is a [*ForgottenError] and
// nothing may be stored; Keyring.Allow begins anew.
func Seal(ctx context.Context, keys Keyring, at Place, subject string, value any) (
	json.RawMessage, error,
) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if at, err = at.canonical(); err != nil {
		return nil, err
	}
	return sealJSON(ctx, keys, at, subject, plain)
}

// sealJSON seals JSON in a canonical place.
func sealJSON(ctx context.Context, keys Keyring, at Place, subject string, plain []byte) (
	json.RawMessage, error,
) {
	if err := checkPerson(subject); err != nil {
		return nil, err
	}
	key, err := keys.Key(ctx, subject, true)
	if err != nil {
		return nil, err
	}
	value := encrypt(key.Secret, plain, at.bound(subject, key.Revision))
	return json.Marshal(map[string]sealed{sealedKey: {subject, key.Revision, value}})
}

// Reveal opens what Seal has made in the same place and returns the value's JSON. What is not
// sealed is returned as it is. The errors are [*ForgottenError], [*NoKeyError] and
// [*NotAuthenticError], and those of the keyring.
func Reveal(ctx context.Context, keys Keyring, at Place, value json.RawMessage) (
	json.RawMessage, error,
) {
	at, err := at.canonical()
	if err != nil {
		return nil, err
	}
	plain, _, err := revealJSON(ctx, keys, at, value)
	return plain, err
}

// revealJSON opens a value in a canonical place, and returns whose it is, "" if it is not sealed.
func revealJSON(ctx context.Context, keys Keyring, at Place, value []byte) (
	plain []byte, subject string, err error,
) {
	s, is, err := readSealed(at, value)
	if err != nil || !is {
		return value, "", err
	}
	secret, err := secretOf(ctx, keys, at, s)
	if err != nil {
		return nil, s.Subject, err
	}
	plain, ok := decrypt(secret, s.Value, at.bound(s.Subject, s.Revision))
	if !ok || !json.Valid(plain) {
		return nil, s.Subject, s.fault(at, "it was not sealed here, or with another key")
	}
	return plain, s.Subject, nil
}

// secretOf returns the key that a value was sealed with.
func secretOf(ctx context.Context, keys Keyring, at Place, s sealed) (secret [keySize]byte, err error) {
	const unknown = "the keyring does not know this revision of the key"
	key, err := keys.Key(ctx, s.Subject, false)
	var forgotten *ForgottenError
	switch {
	case errors.As(err, &forgotten):
		if err = forgotten.of(s.Revision); err == nil {
			err = s.fault(at, unknown)
		}
		return secret, err
	case err != nil:
		return secret, err
	case key.Revision == s.Revision:
		return key.Secret, nil
	}
	if err = forgottenIn(key.Fences, s.Revision); err == nil {
		err = s.fault(at, unknown)
	}
	return secret, err
}

// readSealed reads a sealed value. is is false for what is none; what only looks like one is an
// error.
func readSealed(at Place, value []byte) (s sealed, is bool, err error) {
	if !bytes.Contains(value, []byte(`sealed"`)) && !bytes.Contains(value, []byte(`\u`)) {
		return s, false, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || members[sealedKey] == nil {
		return s, false, nil
	}
	d := json.NewDecoder(bytes.NewReader(members[sealedKey]))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || len(members) != 1 || s.Revision < 1 || checkPerson(s.Subject) != nil {
		return s, true, (sealed{}).fault(at, "it is not of the form that this package writes")
	}
	return s, true, nil
}

// fault is the error for a value that does not open.
func (s sealed) fault(at Place, reason string) error {
	return &NotAuthenticError{Place: at, Subject: s.Subject, Revision: s.Revision, Reason: reason}
}

// encode writes bytes as text.
func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// decode reads what encode has written.
func decode(text string) ([]byte, error) { return base64.StdEncoding.Strict().DecodeString(text) }
