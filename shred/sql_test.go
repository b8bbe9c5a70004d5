package shred

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The keyring itself is tried in the module integration, which has a database.
func TestPlaceholdersAreThoseOfTheDatabase(t *testing.T) {
	const text = `UPDATE t SET a = ?, b = '' WHERE c = ?`
	assert.Equal(t, text, (&SQL{}).text(text))
	assert.Equal(t, `UPDATE t SET a = $1, b = '' WHERE c = $2`, (&SQL{dollar: true}).text(text))
	assert.Equal(t, "SELECT 1", (&SQL{dollar: true}).text("SELECT 1"))
}

func TestAKeyringInADatabaseNeedsOne(t *testing.T) {
	_, err := OpenSQL(t.Context(), SQLOptions{})
	assert.ErrorAs(t, err, new(*ArgumentError))
}
