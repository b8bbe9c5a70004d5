package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A store of a registered scheme is opened once for all databases of one data source name, and
// closed with the last connection.
func TestRegisteredSchemeOpensOneStoreForAll(t *testing.T) {
	opened := 0
	var store *filestore.FileStore
	eventfold.RegisterScheme("elsewhere", func(dsn string) (eventfold.Remote, error) {
		if strings.Contains(dsn, "wrong") {
			return eventfold.Remote{}, errors.New("is wrong")
		}
		_, options, _ := strings.Cut(dsn, "?")
		return eventfold.Remote{Name: "elsewhere://host", Options: options,
			Open: func(context.Context) (eventfold.Store, error) {
				opened++
				var err error
				store, err = filestore.Open("/store", filestore.Options{FS: vfs.NewMem()})
				return store, err
			}}, nil
	})
	const dsn = "elsewhere://user:secret@host/x?json=text"
	first, err := sql.Open(eventfold.DriverName, dsn)
	require.NoError(t, err)
	second, err := sql.Open(eventfold.DriverName, dsn)
	require.NoError(t, err)
	_, err = first.Exec(`INSERT INTO "s" (type, payload) VALUES ('t', '{"a":1}')`)
	require.NoError(t, err)
	var payload any
	require.NoError(t, second.QueryRow(`SELECT payload FROM "s"`).Scan(&payload))
	assert.Equal(t, `{"a":1}`, payload, "the driver's keys hold")
	assert.Equal(t, 1, opened)
	require.NoError(t, first.Close())
	require.NoError(t, second.Ping())
	require.NoError(t, second.Close())
	assert.ErrorIs(t, store.Wait(t.Context(), 0), engine.ErrClosed)

	for _, wrong := range []string{"elsewhere://wrong", "elsewhere://x?sync=interval", "elsewhere://x?mode=memory",
		"elsewhere://x?nothing=1"} {
		_, err := eventfold.ParseDSN(wrong)
		assert.Error(t, err, wrong)
	}
	t.Chdir(t.TempDir())
	for what, err := range everythingOnDirectories(t, dsn) {
		var known *eventfold.Error
		require.ErrorAs(t, err, &known, what)
		assert.Equal(t, eventfold.ErrConfig, known.Code, what)
		assert.ErrorContains(t, err, "elsewhere://host is no directory", what)
	}
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Empty(t, left, "no directory is made under the name of what is elsewhere")

	assert.Panics(t, func() { eventfold.RegisterScheme("elsewhere", nil) })
	assert.Panics(t, func() { eventfold.RegisterScheme("file", nil) })
}

// everythingOnDirectories are the errors of what needs the files of a store.
func everythingOnDirectories(t *testing.T, dsn string) map[string]error {
	ctx := t.Context()
	_, imported := eventfold.Import(ctx, dsn, func(func(eventfold.Event, error) bool) {}, nil)
	_, copied := eventfold.Copy(ctx, dsn, "to", nil)
	_, copiedTo := eventfold.Copy(ctx, t.TempDir(), dsn, nil)
	_, saved := eventfold.Salvage(ctx, dsn, "to")
	_, applied := eventfold.ApplyErasures(ctx, strings.NewReader(""), dsn)
	return map[string]error{"import": imported, "copy": copied, "copy to": copiedTo, "salvage": saved, "apply": applied,
		"replicate": eventfold.Replicate(ctx, dsn, "to", nil), "ledger": eventfold.WriteLedger(ctx, dsn, io.Discard)}
}
