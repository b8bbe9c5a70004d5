package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// Each tells about every MiB, and how much there is, so that a share and the time left are known.
func TestVerifyBackupAndSalvageTellHowFarTheyAre(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	payload := `{"text": "` + strings.Repeat("x", 900<<10) + `"}`
	insert := "INSERT INTO s (type, payload) VALUES ('A', '" + payload + "')"
	require.NoError(t, printSQL(store, []string{insert, insert, insert, insert, insert}))
	query := func(text string) func(context.Context) error {
		return func(ctx context.Context) error {
			db, err := sql.Open("eventfold", "file:"+store+"?mode=ro&backup=allow")
			require.NoError(t, err)
			defer db.Close()
			_, err = db.ExecContext(ctx, text)
			return err
		}
	}
	for name, run := range map[string]func(context.Context) error{
		"verify": query("VERIFY"),
		"backup": query("BACKUP TO '" + filepath.Join(dir, "backup") + "'"),
		"salvage": func(ctx context.Context) error {
			_, err := eventfold.Salvage(ctx, store, filepath.Join(dir, "saved"))
			return err
		},
	} {
		var mu sync.Mutex // protects told and p
		told, p := 0, &progress{what: name, unit: unitBytes}
		require.NoError(t, run(engine.WithProgress(t.Context(), func(at engine.Progress) {
			mu.Lock()
			defer mu.Unlock()
			told++
			p.follow(at)
		})), name)
		assert.GreaterOrEqual(t, told, 3, name)
		assert.Regexp(t, "^"+name+`  \d+%  [\d.]+ MiB of [\d.]+ MiB  .*/s  \d+ s left$`, p.line(time.Second))
	}
}
