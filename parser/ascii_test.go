package parser

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLowerASCIILeavesOtherBytesAlone(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "abc": "abc", "aBZ@[`{": "abz@[`{", "ÄÖ\xff\x00Z": "ÄÖ\xff\x00z", "İK": "İk",
	} {
		assert.Equal(t, want, LowerASCII(text))
	}
	assert.Zero(t, testing.AllocsPerRun(10, func() { LowerASCII("position") }))
}
