package fault

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAnErrorTellsItsHintAndWhatIsBehindIt(t *testing.T) {
	behind := errors.New("behind")
	tests := []struct {
		err  Error
		want string
	}{
		{Error{Msg: "wrong"}, "wrong"},
		{Error{Msg: "wrong", Hint: "write right"}, "wrong (write right)"},
		{Error{Msg: "wrong", Hint: "write right", Err: behind}, "wrong (write right): behind"},
		{Error{Msg: "behind", Err: behind}, "behind"}, // which is told already
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, tt.err.Error())
	}
	assert.ErrorIs(t, &tests[2].err, behind)
}

func TestAPlaceIsGivenOnce(t *testing.T) {
	err := At(New(BadValue, -1, "wrong"), 5)
	assert.Equal(t, 5, int(err.(*Error).Pos))
	assert.Equal(t, 5, int(At(err, 9).(*Error).Pos))
	plain := errors.New("plain")
	assert.Equal(t, plain, At(plain, 5))
}

func TestLongNamesAreCut(t *testing.T) {
	assert.Equal(t, "name", Short("name"))
	assert.Equal(t, strings.Repeat("é", 150)+"...", Short(strings.Repeat("é", 151)))
	assert.Equal(t, strings.Repeat("é", 149)+"...", Short("x" + strings.Repeat("é", 151))[1:])
	assert.Equal(t, `"a\"b"`, Quoted(`a"b`))
}
