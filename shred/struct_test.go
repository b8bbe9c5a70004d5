package shred

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type Address struct {
	Street string `json:"street" pii:"Customer"`
	City   string `json:"city"`
}

type Contact struct {
	ID    int               `json:"id"`
	Phone string            `json:"phone,omitempty" pii:"ID"`
	Notes map[string]string `json:"notes,omitempty" pii:"ID"`
}

type Base struct {
	At    time.Time `json:"at"`
	Agent string    `json:"agent" pii:"Customer"`
}

type Placed struct {
	Base
	Customer string             `json:"customer"`
	Email    string             `json:"email" pii:"Customer"`
	Age      int                `json:"age,string" pii:"Customer"`
	Total    float64            `json:"total"`
	Home     *Address           `json:"home"`
	Contacts []Contact          `json:"contacts"`
	ByName   map[string]Contact `json:"by_name"`
	Family   []Contact          `json:"family" pii:"Customer"`
	Any      any                `json:"any"`
	Hidden   string             `json:"-" pii:"Customer"`
	Next     *Placed            `json:"next,omitempty"`
}

var placedAt = Place{Stream: "order-1", Type: "Placed"}

func placed() Placed {
	return Placed{
		Base:     Base{At: time.Unix(1, 0).UTC(), Agent: marker + "-agent"},
		Customer: "customer:42", Email: marker, Age: 36, Total: 12.5,
		Home:     &Address{Street: marker + "-street", City: "London"},
		Contacts: []Contact{{ID: 7, Phone: marker + "-7"}, {ID: 8}},
		ByName:   map[string]Contact{"a.b": {ID: 9, Phone: marker + "-9"}},
		Family:   []Contact{{ID: 10, Phone: marker + "-10", Notes: map[string]string{"x": marker}}},
	}
}

func TestAStructComesBackAndNothingOfItIsInTheText(t *testing.T) {
	keys := newMemKeyring()
	in := placed()
	next := placed()
	in.Next = &next
	data, err := Marshal(t.Context(), keys, placedAt, in)
	require.NoError(t, err)
	assert.NotContains(t, string(data), marker)
	assert.NotContains(t, string(data), `"36"`)
	assert.Contains(t, string(data), `"total":12.5`)
	assert.Contains(t, string(data), `"customer":"customer:42"`)
	assert.Contains(t, string(data), "London")
	assert.True(t, strings.HasPrefix(string(data), `{"at":`), "the order of members stays")

	var out Placed
	forgotten, err := Unmarshal(t.Context(), keys, placedAt, data, &out)
	require.NoError(t, err)
	assert.Empty(t, forgotten)
	assert.Equal(t, in, out)

	plain, err := Reveal(t.Context(), keys, Place{"order-1", "Placed", "$.contacts[0].phone"},
		member0(t, data, "contacts", 0, "phone"))
	require.NoError(t, err)
	assert.Equal(t, `"`+marker+`-7"`, string(plain), "a path of Marshal is one of Reveal")
}

func member0(t *testing.T, data []byte, key string, i int, inner string) json.RawMessage {
	t.Helper()
	var doc map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &doc))
	var list []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(doc[key], &list))
	return list[i][inner]
}

func TestOneSubjectOfAnEventIsForgottenAndTheOthersStay(t *testing.T) {
	keys := newMemKeyring()
	data, err := Marshal(t.Context(), keys, placedAt, placed())
	require.NoError(t, err)
	_, err = keys.Erase(t.Context(), "7", "")
	require.NoError(t, err)
	_, err = keys.Erase(t.Context(), "10", "")
	require.NoError(t, err)
	var out Placed
	forgotten, err := Unmarshal(t.Context(), keys, placedAt, data, &out)
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{
		`$."contacts"[0]."phone"`, `$."family"[0]."phone"`, `$."family"[0]."notes"`,
	}, forgotten)
	assert.Empty(t, out.Contacts[0].Phone)
	assert.Equal(t, marker, out.Email)
	assert.Equal(t, marker+"-9", out.ByName["a.b"].Phone)
	assert.Equal(t, 10, out.Family[0].ID)
	_, err = Marshal(t.Context(), keys, placedAt, placed())
	assert.ErrorIs(t, err, ErrForgotten, "and nothing of it is sealed anew")
}

func TestAValueOfAnotherSubjectIsNotTaken(t *testing.T) {
	keys := newMemKeyring()
	data, err := Marshal(t.Context(), keys, placedAt, placed())
	require.NoError(t, err)
	for _, swap := range [][2]string{
		{`"customer":"customer:42"`, `"customer":"customer:7"`},
		{`"customer":"customer:42"`, `"custom":"customer:42"`},
		{`"id":7`, `"id":8`},
	} {
		forged := strings.Replace(string(data), swap[0], swap[1], 1)
		require.NotEqual(t, string(data), forged)
		out := Placed{Total: 99}
		_, err = Unmarshal(t.Context(), keys, placedAt, []byte(forged), &out)
		assert.ErrorIs(t, err, ErrNotAuthentic, swap[1])
		assert.Equal(t, Placed{Total: 99}, out, "nothing is read")
	}
	for _, at := range []Place{{"order-2", "Placed", ""}, {"order-1", "Shipped", ""}, {"order-1", "Placed", "metadata$"}} {
		var out Placed
		_, err = Unmarshal(t.Context(), keys, at, data, &out)
		assert.ErrorIs(t, err, ErrNotAuthentic)
	}
}

func TestMovedElementsDoNotOpen(t *testing.T) {
	keys := newMemKeyring()
	in := []Contact{{ID: 7, Phone: "1"}, {ID: 7, Phone: "2"}}
	data, err := Marshal(t.Context(), keys, placedAt, in)
	require.NoError(t, err)
	var list []json.RawMessage
	require.NoError(t, json.Unmarshal(data, &list))
	swapped, err := json.Marshal([]json.RawMessage{list[1], list[0]})
	require.NoError(t, err)
	var out []Contact
	_, err = Unmarshal(t.Context(), keys, placedAt, swapped, &out)
	assert.ErrorIs(t, err, ErrNotAuthentic)
}

type (
	noSuchSubject struct {
		A string `pii:"Nobody"`
	}
	emptyTag struct {
		A string `pii:""`
	}
	badSubject struct {
		B float64
		A string `pii:"B"`
	}
	hiddenSubject struct {
		b string
		A string `pii:"b"`
	}
	embeddedTag struct {
		Customer string
		Address  `pii:"Customer"`
	}
	inner struct {
		Inner string `json:"Outer"`
	}
	twice struct {
		inner
		Customer string
		Outer    string `pii:"Customer"`
	}
	shadowed struct {
		Base
		Customer string
		Agent    string `json:"agent"`
	}
	badName struct {
		Customer string
		//lint:ignore SA5008 encoding/json does not take this name, and so Marshal must not
		A string `json:"a\"b,omitempty" pii:"Customer"`
	}
	ownJSON struct {
		Customer string
		A        string `pii:"Customer"`
	}
)

func (*ownJSON) MarshalJSON() ([]byte, error) { return []byte(`{"A":"` + marker + `"}`), nil }

func TestNoTagIsIgnored(t *testing.T) {
	_ = hiddenSubject{}.b
	for name, v := range map[string]any{
		"no such field":        noSuchSubject{A: marker},
		"an empty tag":         emptyTag{A: marker},
		"a field of no name":   badSubject{A: marker},
		"a hidden field":       hiddenSubject{A: marker},
		"an embedded struct":   embeddedTag{"c", Address{Street: marker}},
		"two of one name":      twice{inner{marker}, "c", marker},
		"a shadowed one":       shadowed{Base{Agent: marker}, "c", marker},
		"JSON of its own":      ownJSON{"c", marker},
		"no JSON name":         badName{"c", marker},
		"a pointer to it":      &ownJSON{"c", marker},
		"in a slice":           []ownJSON{{"c", marker}},
		"no subject":           Address{Street: marker},
		"a subject left empty": Placed{Email: marker},
		"in an interface":      map[string]any{"a": []any{Placed{Email: marker}}},
	} {
		data, err := Marshal(t.Context(), newMemKeyring(), placedAt, v)
		assert.ErrorAs(t, err, new(*ArgumentError), "%s: %s", name, data)
		assert.Nil(t, data, name)
	}
}

func TestInterfacesAreSealedByWhatIsInThem(t *testing.T) {
	keys := newMemKeyring()
	data, err := Marshal(t.Context(), keys, placedAt, map[string]any{"x": []any{&Contact{ID: 1, Phone: marker}, nil, 3}})
	require.NoError(t, err)
	assert.NotContains(t, string(data), marker)
	var out map[string][]any
	_, err = Unmarshal(t.Context(), keys, placedAt, data, &out)
	require.NoError(t, err)
	assert.NotContains(t, out["x"][0], marker, "who reads into an interface gets it sealed")
	var typed map[string][]*Contact
	_, err = Unmarshal(t.Context(), keys, placedAt, []byte(strings.Replace(string(data), ",3]", "]", 1)), &typed)
	require.NoError(t, err)
	assert.Equal(t, marker, typed["x"][0].Phone)
}

func TestZeroValuesWithoutASubjectNeedNone(t *testing.T) {
	data, err := Marshal(t.Context(), newMemKeyring(), placedAt, Placed{})
	require.NoError(t, err)
	var out Placed
	_, err = Unmarshal(t.Context(), newMemKeyring(), placedAt, data, &out)
	require.NoError(t, err)
	assert.Equal(t, Placed{}, out)
}

func TestWhatWasNeverSealedIsRead(t *testing.T) {
	data, err := json.Marshal(placed())
	require.NoError(t, err)
	var out Placed
	_, err = Unmarshal(t.Context(), newMemKeyring(), placedAt, data, &out)
	require.NoError(t, err)
	assert.Equal(t, placed(), out)
	for _, bad := range []string{``, `{`, `[]`, `{"home": 3}`, `{"contacts": {"a": 1}}`, `{"email": {"$sealed": {}}}`} {
		_, err = Unmarshal(t.Context(), newMemKeyring(), placedAt, []byte(bad), &out)
		assert.Error(t, err, bad)
	}
	for _, target := range []any{nil, Placed{}, (*Placed)(nil)} {
		_, err = Unmarshal(t.Context(), newMemKeyring(), placedAt, data, target)
		assert.Error(t, err)
	}
}

func TestAValueThatIsTooDeepIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"customer":"c","next":`, 200) + "null" + strings.Repeat("}", 200)
	var out Placed
	_, err := Unmarshal(t.Context(), newMemKeyring(), placedAt, []byte(deep), &out)
	assert.ErrorAs(t, err, new(*ArgumentError))
	var v Placed
	require.NoError(t, json.Unmarshal([]byte(deep), &v))
	_, err = Marshal(t.Context(), newMemKeyring(), placedAt, v)
	assert.ErrorAs(t, err, new(*ArgumentError))
}
