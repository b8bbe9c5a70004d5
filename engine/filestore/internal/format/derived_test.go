package format

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

var derivedHead = Derived{
	Store: uuid.MustParse("0198c0f5-0000-7000-8000-000000000001"), Erasures: 3,
	Head: engine.Head{Position: 12, Chain: [32]byte{7, 8, 9}},
}

func derivedFile(t testing.TB, name string, content []byte) []byte {
	var b bytes.Buffer
	w := NewDerivedWriter(&b, name, derivedHead)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func readDerived(b []byte, name string) ([]byte, Derived, error) {
	r, d, err := NewDerivedReader(bytes.NewReader(b), name)
	if err != nil {
		return nil, d, err
	}
	content, err := io.ReadAll(r)
	return content, d, err
}

func TestADerivedFileIsReadAsItWasWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, DerivedPiece - 1, DerivedPiece, DerivedPiece + 1, 3 * DerivedPiece} {
		content := make([]byte, n)
		for i := range content {
			content[i] = byte(r.Uint32())
		}
		got, d, err := readDerived(derivedFile(t, "view-1", content), "view-1")
		require.NoError(t, err)
		assert.Equal(t, derivedHead, d)
		assert.Equal(t, content, got)
	}
}

func TestADerivedFileWithAnyByteDamagedIsRefused(t *testing.T) {
	b := derivedFile(t, "view-1", bytes.Repeat([]byte("abc"), 100))
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x40
		_, _, err := readDerived(bad, "view-1")
		assert.ErrorIs(t, err, ErrDerived, "byte %d", i)
	}
	for n := range b {
		_, _, err := readDerived(b[:n], "view-1")
		assert.ErrorIs(t, err, ErrDerived, "%d bytes", n)
	}
	_, _, err := readDerived(append(bytes.Clone(b), 0), "view-1")
	assert.ErrorIs(t, err, ErrDerived, "more behind it")
}

func TestADerivedFileStandsInForNoOther(t *testing.T) {
	_, _, err := readDerived(derivedFile(t, "view-1", []byte("x")), "view-2")
	assert.ErrorIs(t, err, ErrDerived)
}

func TestNamesOfDerivedFiles(t *testing.T) {
	for _, bad := range []string{"", "A", "a.b", "../a", "a/b", "a\\b", "ä", "a b", "a_b", string(make([]byte, 65)), "con:"} {
		_, ok := DerivedFileName(bad)
		assert.False(t, ok, "%q", bad)
	}
	file, ok := DerivedFileName("view-12")
	require.True(t, ok)
	assert.Equal(t, "view-12.state", file)
	name, ok := ParseDerivedFileName(file)
	assert.True(t, ok)
	assert.Equal(t, "view-12", name)
	for _, bad := range []string{".state", "state.tmp", "x.State", "view-1.state.tmp", "a.b.state"} {
		_, ok := ParseDerivedFileName(bad)
		assert.False(t, ok, bad)
	}
}

// FuzzDerived gives any bytes to the reader of derived files: what it takes is what a writer makes.
func FuzzDerived(f *testing.F) {
	f.Add(derivedFile(f, "view-1", []byte("some groups")))
	f.Fuzz(func(t *testing.T, b []byte) {
		content, d, err := readDerived(b, "view-1")
		if err != nil {
			return
		}
		var again bytes.Buffer
		w := NewDerivedWriter(&again, "view-1", d)
		_, _ = w.Write(content)
		require.NoError(t, w.Close())
		got, _, err := readDerived(again.Bytes(), "view-1")
		require.NoError(t, err)
		require.Equal(t, content, got)
	})
}
