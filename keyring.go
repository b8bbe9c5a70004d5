package eventfold

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
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

// Forget implements query.Keyring. What can fail before the key is destroyed does so before.
func (k keyring) Forget(ctx context.Context, subject, reason string) (bool, []engine.Erasure, error) {
	blinded, err := shred.Blind(ctx, k.keys, subject, true)
	if err != nil {
		return false, nil, err
	}
	erased, err := k.keys.Erase(ctx, subject, reason)
	if err != nil {
		return false, nil, err
	}
	fences, err := k.fences(ctx, subject)
	told := make([]engine.Erasure, len(fences))
	for i, f := range fences {
		told[i] = tellFence(blinded, f)
	}
	return erased, told, err
}

// fences returns those of a subject whose key was destroyed.
func (k keyring) fences(ctx context.Context, subject string) ([]shred.Fence, error) {
	key, err := k.keys.Key(ctx, subject, false)
	var forgotten *shred.ForgottenError
	if errors.As(err, &forgotten) {
		return append(slices.Clip(forgotten.Earlier), forgotten.Fence), nil
	}
	return key.Fences, err // without an error it was allowed again in the meantime
}

// forgottenIDs are the ids of events that tell of destroyed keys.
var forgottenIDs = uuid.MustParse("3d0f5492-c850-506a-ae90-b7a2b9cc3525")

// tellFence returns what a store tells of a destroyed key. Its id is always the same, so that the
// event is stored once, and has to do with the fingerprint, so that nobody without the keyring can
// use it first.
func tellFence(blinded string, f shred.Fence) engine.Erasure {
	id := fmt.Appendf(nil, "%s %d %s", blinded, f.Revision, f.Fingerprint)
	return engine.Erasure{
		ID: uuid.NewSHA1(forgottenIDs, id), Subject: blinded, Revision: int64(f.Revision),
		Reason: cmp.Or(f.Reason, "none was given"),
	}
}

// keyringCode is the code of an error of a keyring.
func keyringCode(err error) Code {
	var untold *UntoldError
	switch {
	case errors.As(err, &untold):
		return untoldCode(untold.Err)
	case errors.Is(err, shred.ErrNotAuthentic):
		return ErrValue
	case errors.As(err, new(*shred.ArgumentError)):
		return ErrArgument
	case errors.Is(err, shred.ErrReadOnly):
		return ErrReadOnly
	}
	return ErrKeyring
}

// untoldCode is the code of what has kept an event from being written.
func untoldCode(err error) Code {
	if code, _ := classify(err); code != ErrInternal {
		return code
	}
	return ErrKeyring
}
