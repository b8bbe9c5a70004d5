package value

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLettersOfASCIIAloneAreFolded(t *testing.T) {
	for c := range 128 {
		s := string(rune(c))
		assert.Equal(t, strings.ToLower(s), Lower(s))
		assert.Equal(t, strings.ToUpper(s), MapBytes(s, &UpperTable))
		assert.Equal(t, c >= '0' && c <= '9', IsDigit(byte(c)))
	}
	for c := 128; c < 256; c++ {
		s := string([]byte{byte(c)})
		assert.Equal(t, s, Lower(s))
		assert.Equal(t, s, MapBytes(s, &UpperTable))
		assert.False(t, IsDigit(byte(c)))
	}
	assert.Equal(t, "äÖ-aÉ", Lower("äÖ-AÉ"))
	same := "already low"
	assert.Zero(t, testing.AllocsPerRun(10, func() { Lower(same) }))
}

func TestNumbersEndWhereTheirDigitsEnd(t *testing.T) {
	tests := []struct {
		s                string
		digits, exponent int // from 0 and from there
	}{
		{"", 0, 0}, {"x", 0, 0}, {"12", 2, 2}, {"12x", 2, 2}, {"1e5", 1, 3}, {"1E+05x", 1, 5},
		{"1e", 1, 1}, {"1e-", 1, 1},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.digits, DigitsEnd(tt.s, 0), tt.s)
		assert.Equal(t, tt.exponent, ExponentEnd(tt.s, tt.digits), tt.s)
	}
	for i, c := range "0123456789abcdef" {
		assert.Equal(t, i, HexDigit(byte(c)))
		assert.Equal(t, i, HexDigit(strings.ToUpper(string(c))[0]))
	}
	assert.Equal(t, -1, HexDigit('g'))
	assert.Equal(t, -1, HexDigit('@'))
}
