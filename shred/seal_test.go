package shred

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const marker = "ada.lovelace@example.com"

func sealedAt(t *testing.T, keys Keyring, at Place, subject string) json.RawMessage {
	t.Helper()
	raw, err := Seal(t.Context(), keys, at, subject, marker)
	require.NoError(t, err)
	assert.NotContains(t, string(raw), marker)
	return raw
}

func TestASealedValueOpensOnlyWhereItWasSealed(t *testing.T) {
	keys := newMemKeyring()
	home := Place{Stream: "order-1", Type: "Placed", Path: "$.email"}
	raw := sealedAt(t, keys, home, "customer:42")
	for _, same := range []string{"$.email", `$."email"`, `$["email"]`} {
		plain, err := Reveal(t.Context(), keys, Place{"order-1", "Placed", same}, raw)
		require.NoError(t, err, same)
		assert.Equal(t, `"`+marker+`"`, string(plain))
	}
	for name, at := range map[string]Place{
		"another stream":       {"order-2", "Placed", "$.email"},
		"another type":         {"order-1", "Shipped", "$.email"},
		"another field":        {"order-1", "Placed", "$.name"},
		"a field further down": {"order-1", "Placed", "$.email.email"},
		"an element":           {"order-1", "Placed", "$[0]"},
		"the metadata":         {"order-1", "Placed", "metadata$.email"},
		"joined otherwise":     {"order-1P", "laced", "$.email"},
		"no stream":            {"", "order-1Placed", "$.email"},
	} {
		_, err := Reveal(t.Context(), keys, at, raw)
		var facts *NotAuthenticError
		require.ErrorAs(t, err, &facts, name)
		assert.ErrorIs(t, err, ErrNotAuthentic)
		assert.Equal(t, "customer:42", facts.Subject)
		assert.NotContains(t, err.Error(), marker)
	}
}

func TestASealedValueThatWasChangedDoesNotOpen(t *testing.T) {
	keys := newMemKeyring()
	at := Place{Stream: "order-1", Type: "Placed", Path: "$.email"}
	raw := string(sealedAt(t, keys, at, "customer:42"))
	sealedAt(t, keys, at, "customer:7") // who has a key
	for name, changed := range map[string]string{
		"another subject":    strings.Replace(raw, "customer:42", "customer:7", 1),
		"another revision":   strings.Replace(raw, `"r":1`, `"r":2`, 1),
		"no revision":        strings.Replace(raw, `"r":1`, `"r":0`, 1),
		"another byte":       strings.Replace(raw, `"v":"`, `"v":"AAAA`, 1),
		"no value":           `{"$sealed":{"s":"customer:42","r":1,"v":""}}`,
		"a null":             `{"$sealed":{"s":"customer:42","r":1,"v":null}}`,
		"a short value":      `{"$sealed":{"s":"customer:42","r":1,"v":"AAAA"}}`,
		"one more member":    strings.Replace(raw, `"r":1`, `"r":1,"x":2`, 1),
		"one more beside it": strings.Replace(raw, `{"$sealed"`, `{"a":1,"$sealed"`, 1),
		"an escaped member":  strings.Replace(raw, `"$sealed":{`, `"\u0024seale\u0064":{"x":1,`, 1),
		"not an object":      `{"$sealed":"customer:42"}`,
		"not even that":      `{"$sealed":null}`,
		"a reserved subject": strings.Replace(raw, "customer:42", "$pepper", 1),
	} {
		_, err := Reveal(t.Context(), keys, at, json.RawMessage(changed))
		assert.ErrorIs(t, err, ErrNotAuthentic, name)
	}
}

func TestWhatIsNotSealedIsGivenAsItIs(t *testing.T) {
	for _, plain := range []string{`"a"`, `12`, `null`, `{"a": {"$sealed": 1}}`, `["$sealed"]`, `"$sealed"`} {
		got, err := Reveal(t.Context(), newMemKeyring(), Place{}, json.RawMessage(plain))
		require.NoError(t, err)
		assert.Equal(t, plain, string(got))
	}
}

func TestAnErasureDiffersFromAKeyThatNeverWas(t *testing.T) {
	ctx, keys := t.Context(), newMemKeyring()
	at := Place{Stream: "order-1", Type: "Placed", Path: "$.email"}
	first := sealedAt(t, keys, at, "customer:42")
	_, err := Reveal(ctx, newMemKeyring(), at, first)
	assert.ErrorIs(t, err, ErrNoKey)
	assert.NotErrorIs(t, err, ErrForgotten)

	_, err = keys.Erase(ctx, "customer:42", "ticket 7")
	require.NoError(t, err)
	_, err = Reveal(ctx, keys, at, first)
	var facts *ForgottenError
	require.ErrorAs(t, err, &facts)
	assert.Equal(t, 1, facts.Revision)
	assert.Equal(t, "ticket 7", facts.Reason)
	assert.False(t, facts.At.IsZero())
	_, err = Seal(ctx, keys, at, "customer:42", marker)
	assert.ErrorIs(t, err, ErrForgotten, "sealing fails until it is allowed")

	require.NoError(t, keys.Allow(ctx, "customer:42"))
	second := sealedAt(t, keys, at, "customer:42")
	plain, err := Reveal(ctx, keys, at, second)
	require.NoError(t, err)
	assert.Contains(t, string(plain), marker)
	_, err = Reveal(ctx, keys, at, first)
	require.ErrorAs(t, err, &facts, "what the old revision has sealed stays gone")
	assert.Equal(t, 1, facts.Revision)
}

func TestPathsHaveOneForm(t *testing.T) {
	for path, want := range map[string]string{
		"":                        `$`,
		"$":                       `$`,
		"$.a.b":                   `$."a"."b"`,
		`$."a.b"[3]["c"]`:         `$."a.b"[3]."c"`,
		`$["\u0061\""][00]`:       `$."a\""[0]`,
		"metadata$.a":             `metadata$."a"`,
		"metadata$":               `metadata$`,
		"$.metadata$":             `$."metadata$"`,
		"a":                       "",
		"$a":                      "",
		"$.":                      "",
		"$..a":                    "",
		"$[-1]":                   "",
		"$[#-1]":                  "",
		"$[":                      "",
		"$[]":                     "",
		`$["a"`:                   "",
		`$."a`:                    "",
		"$[99999999999999999999]": "",
		"metadata":                "",
	} {
		at, err := Place{Path: path}.canonical()
		if want == "" {
			assert.ErrorAs(t, err, new(*ArgumentError), path)
			continue
		}
		require.NoError(t, err, path)
		assert.Equal(t, want, at.Path)
	}
}

func TestOddSubjectsAreRefused(t *testing.T) {
	for _, subject := range []string{"", "$pepper", "\xff", "a\x00", strings.Repeat("a", 256)} {
		_, err := Seal(t.Context(), newMemKeyring(), Place{}, subject, 1)
		assert.ErrorAs(t, err, new(*ArgumentError), "%q", subject)
	}
}

func TestBlindingTellsNothingAndFindsTheSame(t *testing.T) {
	ctx, keys := context.Background(), newMemKeyring()
	_, err := Blind(ctx, keys, marker, false)
	require.ErrorIs(t, err, ErrNoKey)
	a, err := Blind(ctx, keys, marker, true)
	require.NoError(t, err)
	b, err := Blind(ctx, keys, marker, false)
	require.NoError(t, err)
	other, err := Blind(ctx, newMemKeyring(), marker, true)
	require.NoError(t, err)
	assert.Equal(t, a, b)
	assert.NotEqual(t, a, other)
	assert.Regexp(t, "^[0-9a-f]{32}$", a)
}

func FuzzReveal(f *testing.F) {
	f.Add(`{"$sealed":{"s":"a","r":1,"v":"AAAA"}}`, "$.a")
	f.Add(`[1]`, `metadata$["a"][1]`)
	f.Fuzz(func(t *testing.T, value, path string) {
		keys := newMemKeyring()
		_, _ = Reveal(t.Context(), keys, Place{Path: path}, json.RawMessage(value))
		if at, err := (Place{Path: path}).canonical(); err == nil {
			again, err := at.canonical()
			require.NoError(t, err)
			require.Equal(t, at, again)
		}
	})
}
