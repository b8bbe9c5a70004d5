package expr

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestLimitsAreToldByErrors: what is larger than its limit is refused in words, with its place.
func TestLimitsAreToldByErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"'x' REGEXP '" + strings.Repeat("a", 5000) + "'", "longer than 4096 bytes"},
		{"'x' REGEXP '(a?){999}{2}'", "a bad regular expression"},
		{"'x' REGEXP '((a|bc){99}){9}'", "more than 1000 instructions"},
		{"glob(printf('%60000d', n), 'x')", "the pattern is longer than 50000 bytes"},
		{"'x' LIKE printf('%60000d', n)", "the pattern is longer than 50000 bytes"},
		{"'{}' -> '$" + strings.Repeat(".a", 1001) + "'", "at most 1000 parts"},
		{"json_extract('{}', '$' || replace(printf('%5000d', n), ' ', '[0]'))", "bad JSON path"},
		{"'{}'" + strings.Repeat(" -> '$"+strings.Repeat(".a", 400)+"'", 3), "at most 1000 parts"},
		{strings.Repeat("x", 5000) + "(1)", "no such function: xxxx"},
	} {
		_, err := runScalar(t, tt.text)
		if assert.Error(t, err, "%.60s", tt.text) {
			assert.Contains(t, err.Error(), tt.want, "%.60s", tt.text)
			assert.Less(t, len(err.Error()), 1000, "%.60s", tt.text)
		}
	}
}
