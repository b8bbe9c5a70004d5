package eventfold

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/eventfold/eventfold/query"
	"github.com/eventfold/eventfold/shred"
)

// A keyring is the keyring of a Config as statements use it.
type keyring struct {
	keys     shred.Keyring
	readOnly bool // the connection writes nothing
}

// keyringOf returns the keyring of a Config, nil if it has none.
func keyringOf(c Config, readOnly bool) query.Keyring {
	if c.Keyring == nil {
		return nil
	}
	return keyring{c.Keyring, readOnly}
}

// Reveal implements query.Keyring.
func (k keyring) Reveal(
	ctx context.Context, stream, typ, path, sealed string,
) (plain string, ok bool, err error) {
	at := shred.Place{Stream: stream, Type: typ, Path: path}
	value, err := shred.Reveal(ctx, k.keys, at, json.RawMessage(sealed))
	if errors.Is(err, shred.ErrForgotten) {
		return "", false, nil
	}
	return string(value), err == nil, err
}

// Blind implements query.Keyring.
func (k keyring) Blind(ctx context.Context, value string) (string, error) {
	return shred.Blind(ctx, k.keys, value, !k.readOnly)
}

// Forget implements query.Keyring.
func (k keyring) Forget(ctx context.Context, subject, reason string) (bool, error) {
	return k.keys.Erase(ctx, subject, reason)
}

// keyringCode is the code of an error of a keyring.
func keyringCode(err error) Code {
	switch {
	case errors.Is(err, shred.ErrNotAuthentic):
		return ErrValue
	case errors.As(err, new(*shred.ArgumentError)):
		return ErrArgument
	case errors.Is(err, shred.ErrReadOnly):
		return ErrReadOnly
	}
	return ErrKeyring
}
