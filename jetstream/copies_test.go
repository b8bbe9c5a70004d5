package jetstream_test

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/jetstream"
)

// openCopy opens the store in a directory for reading.
func openCopy(t *testing.T, dir string) *filestore.FileStore {
	s, err := filestore.Open(dir, filestore.Options{ReadOnly: true, MustExist: true})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// exports: a bucket becomes a directory with the chain of its nodes, which gets what is new when it is
// exported again, while nodes are open; what is another log's is refused.
func exports(t *testing.T, c *cluster) {
	node, s := c.open(t)
	defer s.Close()
	appended := engine.Append{Stream: "a"}
	for range 900 {
		appended.Events = append(appended.Events, engine.NewEvent{Type: "t", Payload: []byte("1")})
	}
	_, err := s.Append(t.Context(), appended)
	require.NoError(t, err)
	config := node
	config.Local = t.TempDir()
	var told, all engine.Position
	head, err := jetstream.Export(t.Context(), config, func(d, a engine.Position) { told, all = d, a })
	require.NoError(t, err)
	assert.Equal(t, engine.Position(900), head.Position)
	assert.Equal(t, []engine.Position{900, 900}, []engine.Position{told, all})
	require.NoError(t, s.CheckHead(head), "its receipt holds for the nodes")

	_, err = s.Append(t.Context(), oneEvent("b"))
	require.NoError(t, err)
	head, err = jetstream.Export(t.Context(), config, nil)
	require.NoError(t, err)
	require.NoError(t, s.CheckHead(head))
	copied := openCopy(t, config.Local)
	assert.Equal(t, readAll(t, s), readAll(t, copied))

	_, err = jetstream.Export(t.Context(), node, nil)
	assert.ErrorAs(t, err, new(*engine.LockedError), "the directory of a node that is open is not touched")
	other, o := c.open(t)
	defer o.Close()
	_, err = o.Append(t.Context(), oneEvent("x"))
	require.NoError(t, err)
	config.Bucket, config.Local = other.Bucket, t.TempDir()
	_, err = jetstream.Export(t.Context(), config, nil)
	require.NoError(t, err)
	config.Bucket = node.Bucket
	_, err = jetstream.Export(t.Context(), config, nil)
	assert.ErrorAs(t, err, new(*jetstream.ConfigError), "it is a copy of another bucket")
	config.Local = ""
	_, err = jetstream.Export(t.Context(), config, nil)
	assert.ErrorContains(t, err, "local=DIR")
	config.Local, config.Bucket, config.Create = t.TempDir(), "nothing", true
	_, err = jetstream.Export(t.Context(), config, nil)
	assert.ErrorContains(t, err, "is not there", "it makes no bucket")
}

// reads: Read gives what nodes have, times included, to the last event that there was when it began.
func reads(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	for i := range 3 {
		_, err := s.Append(t.Context(), oneEvent(fmt.Sprint("s", i%2)), engine.Append{Stream: "two",
			Events: []engine.NewEvent{{Type: "u", Tags: []string{"x"}, Metadata: []byte(`{"m":1}`)}, {Type: "v"}}})
		require.NoError(t, err)
	}
	config.Local = ""
	var got []engine.Event
	all := engine.NoPosition
	for e, err := range jetstream.Read(t.Context(), config, func(n engine.Position) { all = n }) {
		require.NoError(t, err)
		if len(got) == 0 {
			_, err := s.Append(t.Context(), oneEvent("later"))
			require.NoError(t, err)
		}
		got = append(got, e)
	}
	assert.Equal(t, engine.Position(9), all)
	want := readAll(t, s)[:9]
	for i := range want {
		want[i].JSON = false // which is not looked at
	}
	assert.Equal(t, want, got)
	for _, err := range jetstream.Read(t.Context(), config, nil) {
		require.NoError(t, err)
		break // nobody has to read on
	}
	config.Bucket, config.Create = "nothing", true
	for _, err := range jetstream.Read(t.Context(), config, nil) {
		assert.ErrorContains(t, err, "is not there")
	}
}

// importsAtOnce: an import that another one overtakes goes on behind it, also if the other one has more.
func importsAtOnce(t *testing.T, c *cluster) {
	config := c.config(t, fmt.Sprint("i", buckets.Add(1)))
	after := filled(t, t.TempDir(), 2500).ReadIndex()
	before := after.At(after.Head() - 1)

	overtaken := false
	var last engine.Position
	require.NoError(t, jetstream.Import(t.Context(), config, before.At(1500), func(done, all engine.Position) {
		if last = done; done > 0 && !overtaken {
			overtaken = true
			require.NoError(t, jetstream.Import(t.Context(), config, before.At(1200), nil))
		}
	}))
	assert.Equal(t, engine.Position(1500), last)
	require.True(t, overtaken)
	require.Equal(t, last, held(t, config), "what is told to be there is there")
	overtaken = false
	require.NoError(t, jetstream.Import(t.Context(), config, before, func(done, all engine.Position) {
		if last = done; !overtaken {
			overtaken = true
			require.NoError(t, jetstream.Import(t.Context(), config, after, nil))
		}
	}))
	assert.Equal(t, before.Head(), last)
	assert.Equal(t, after.Head(), held(t, config))
}

// held is how many events the servers have.
func held(t *testing.T, config jetstream.Config) (n engine.Position) {
	for e, err := range jetstream.Read(t.Context(), config, nil) {
		require.NoError(t, err)
		assert.Equal(t, n, e.Position)
		n++
	}
	return n
}

// A file of credentials that is not there is an error at once, which names it; other files are likewise.
func TestKeysThatNameFilesAreOptionsOfTheClient(t *testing.T) {
	config, err := jetstream.ParseDSN("nats://a/main?creds=%2Fno%2Fcreds&ca=/no/ca&nkey=/no/seed&cert=/no/cert&key=/no/key")
	require.NoError(t, err)
	assert.Len(t, config.Options, 4)
	_, err = jetstream.ParseDSN("nats://a/main?cert=/no/cert")
	assert.ErrorContains(t, err, "cert and key")
}

// missingFiles: files that are not there are errors at once.
func missingFiles(t *testing.T, c *cluster) {
	for _, key := range []string{"creds", "nkey", "ca"} {
		config, err := jetstream.ParseDSN(c.urls() + "/main?" + key + "=/no/file")
		require.NoError(t, err)
		_, err = jetstream.Check(t.Context(), config)
		assert.ErrorIs(t, err, fs.ErrNotExist, key)
		assert.ErrorContains(t, err, "/no/file", key)
	}
}
