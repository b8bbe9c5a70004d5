package query

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// TestGroupsByTypeAreGroupsByItsText: types are found again by where their texts are, any other
// text by its bytes. There are more types than are found so.
func TestGroupsByTypeAreGroupsByItsText(t *testing.T) {
	store := openStore(t, filestore.Options{})
	var events []engine.NewEvent
	for i := range 5000 {
		events = append(events, engine.NewEvent{Type: fmt.Sprint("T", i*7%(3*recentTexts))})
	}
	_, err := store.Append(context.Background(), engine.Append{Stream: "s", Events: events})
	require.NoError(t, err)
	s := &Session{Store: store}
	const text = "SELECT %s, COUNT(version), MIN(position) FROM $all WHERE version > 10 GROUP BY 1 ORDER BY 3"
	fast, err := tryRows(context.Background(), s, fmt.Sprintf(text, "type"))
	require.NoError(t, err)
	plain, err := tryRows(context.Background(), s, fmt.Sprintf(text, "type || ''"))
	require.NoError(t, err)
	require.Equal(t, plain, fast)
	require.Len(t, fast, 3*recentTexts)
}
