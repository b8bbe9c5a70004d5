package transfer

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/testenv"
)

// oddTexts are names and payloads that formats like to change.
var oddTexts = []string{
	"plain", "", " ", "\r\n", "a\r\nb", "\"quoted\", and more", "\ufeffmark", "ünïcode \u2028 \u202e", "=1+1", "null",
	"a\x00b", "\x1b[31mred", `{"a":1}`, ` {"a":1}`, "{\"a\":\n1}", "{ \"a\" : 1.0e2, \"a\":2 }", "[]", "\"<&>\"",
	"\xff\xfe", "0",
	`{"big":12345678901234567890.10}`, "{\"t\":\t\"\\u00e4\"}", "\\", strings.Repeat("[", 600) + strings.Repeat("]", 600),
	"payload=null", "true", strings.Repeat("x", 70_000), "\r", "\n", "{\"a\":\"\xff\"}",
}

func oddEvents(seed uint64, n int) []eventfold.Event {
	random := rand.New(rand.NewPCG(seed, 1))
	text := func() string { return oddTexts[random.IntN(len(oddTexts))] }
	name := func() string { // as names of streams, types and tags can be
		for {
			s := strings.ToValidUTF8(text(), "?")
			if s != "" && len(s) <= 255 && !strings.ContainsRune(s, 0) {
				return s
			}
		}
	}
	var all []eventfold.Event
	for i := range n {
		e := eventfold.Event{
			Position: engine.Position(i), Stream: name(), Version: engine.Version(random.IntN(9)), ID: uuid.New(), Type: name(),
			RecordedAt: time.UnixMicro(1_700_000_000_000_000 + int64(i)*int64(random.IntN(3))).UTC(), Metadata: []byte("{}"),
		}
		switch random.IntN(5) {
		case 0:
			e.Redacted = random.IntN(2) == 0
		default:
			e.Payload = []byte(text())
		}
		if random.IntN(3) == 0 && !e.Redacted {
			e.Metadata = []byte(text() + "m")
		}
		for range random.IntN(3) {
			if tag := name(); !slices.Contains(e.Tags, tag) {
				e.Tags = append(e.Tags, tag)
			}
		}
		slices.Sort(e.Tags)
		all = append(all, e)
	}
	return all
}

// collect reads all events.
func collect(events iter.Seq2[eventfold.Event, error]) (all []eventfold.Event, err error) {
	for e, err := range events {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// counted gives each event its version, which are unique in a stream.
func counted(all []eventfold.Event) []eventfold.Event {
	next := map[string]engine.Version{}
	for i := range all {
		all[i].Version = next[all[i].Stream]
		next[all[i].Stream]++
	}
	return all
}

// write writes events to a target with a checkpoint behind every few.
func write(t *testing.T, target Target, events []eventfold.Event) {
	for i := range events {
		if events[i].Position < target.Next() {
			continue
		}
		require.NoError(t, target.Write(&events[i]))
		if i%50 == 49 {
			require.NoError(t, target.Checkpoint())
		}
	}
}

var names = []string{
	"e.ndjson", "e.csv", "e.ndjson.gz", "e.jsonl.zst", "e.csv.gz", "e.parquet", "odd ?#%20 näme.sqlite",
}

func TestWhatIsWrittenIsReadAsItWas(t *testing.T) {
	want := counted(oddEvents(testenv.Seed(t), 400))
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		f, c, err := FormatOf("", path)
		require.NoError(t, err)
		target, err := OpenTarget(path, f, c, Plan{Format: name, Source: "urn:x"})
		require.NoError(t, err, name)
		write(t, target, want)
		require.NoFileExists(t, path)
		require.NoError(t, target.Finish(nil), name)
		got, err := collect(Read(path, nil, f, ReadOptions{}))
		require.NoError(t, err, name)
		requireSame(t, want, got, name)
		entries, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		assert.Len(t, entries, 1, "nothing is left beside %s", name)
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, "others may not read what is personal")
	}
}

func requireSame(t *testing.T, want, got []eventfold.Event, name string) {
	require.Len(t, got, len(want), name)
	for i := range want {
		require.Equal(t, want[i], got[i], "%s, event %d", name, i)
	}
}

// A target is left at any moment, with half an event behind the last checkpoint, as a process leaves
// it that is killed.
func TestAFileThatWasLeftHalfWayIsGoneOnWith(t *testing.T) {
	want := counted(oddEvents(7, 300))
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		f, c, err := FormatOf("", path)
		require.NoError(t, err)
		plan := Plan{Format: name, Head: "300:aa", Source: "urn:x"}
		for _, n := range []int{0, 20, 130, 260} {
			target, err := OpenTarget(path, f, c, plan)
			require.NoError(t, err, name)
			write(t, target, want[:n])
			require.NoError(t, target.Close())
			smear(t, path, f)
		}
		before, err := Begun(path, f)
		require.NoError(t, err)
		require.Equal(t, &plan, before, name)
		other := plan
		other.Where = "type = 'x'"
		_, err = OpenTarget(path, f, c, other)
		require.ErrorContains(t, err, "--restart", name)

		target, err := OpenTarget(path, f, c, plan)
		require.NoError(t, err, name)
		require.Equal(t, engine.Position(250), target.Next(), name)
		write(t, target, want)
		require.NoError(t, target.Finish(nil), name)
		got, err := collect(Read(path, nil, f, ReadOptions{}))
		require.NoError(t, err, name)
		requireSame(t, want, got, name)
	}
}

// smear adds the half of something to a text that is not finished.
func smear(t *testing.T, path string, f *Format) {
	switch f.Name {
	case "sqlite":
		return
	case "parquet":
		path += linesSuffix
	}
	file, err := os.OpenFile(path+partSuffix, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = file.WriteString("{\"half")
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func TestNoEventsAreAFileToo(t *testing.T) {
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		f, c, err := FormatOf("", path)
		require.NoError(t, err)
		target, err := OpenTarget(path, f, c, Plan{Format: name})
		require.NoError(t, err)
		require.NoError(t, target.Finish(nil), name)
		got, err := collect(Read(path, nil, f, ReadOptions{}))
		require.NoError(t, err, name)
		assert.Empty(t, got, name)
	}
}

func TestEventsOfOthersAreRead(t *testing.T) {
	text := `
{"specversion":"1.0","id":"A234-1234","source":"/mycontext","type":"com.example.someevent","subject":"order-1",` +
		`"time":"2018-04-05T17:31:00Z","comexampleextension1":"value","data":{"much":"wow"}}
{"specversion":"1.0","id":"A234-1234","source":"/other","type":"t","data_base64":"AQI="}
`
	o := ReadOptions{Stream: "inbox"}
	got, err := collect(Read("-", strings.NewReader(text), lineFormat, o))
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, "order-1", got[0].Stream)
	assert.Equal(t, `{"much":"wow"}`, string(got[0].Payload))
	assert.Equal(t, `{"comexampleextension1":"value"}`, string(got[0].Metadata))
	assert.Equal(t, engine.NoPosition, got[0].Position)
	assert.Equal(t, "2018-04-05T17:31:00Z", got[0].RecordedAt.Format(time.RFC3339))
	assert.Equal(t, "inbox", got[1].Stream)
	assert.Equal(t, []byte{1, 2}, got[1].Payload)
	assert.NotEqual(t, got[0].ID, got[1].ID, "an id is one of its source")
	again, err := collect(Read("-", strings.NewReader(text), lineFormat, o))
	require.NoError(t, err)
	assert.Equal(t, got[0].ID, again[0].ID, "the same each time, so that an import can be repeated")
}

func TestWhatIsNoEventIsToldByItsLine(t *testing.T) {
	tests := []struct{ format, text, want string }{
		{"ndjson", "{\"id\":\"a\",\"type\":\"t\",\"subject\":\"s\"}\nnonsense\n", "line 2: "},
		{"ndjson", `{"type":"t","subject":"s"}`, "line 1: it has no id"},
		{"ndjson", `{"id":"a","subject":"s"}`, "it has no type"},
		{"ndjson", `{"id":"a","type":"t"}`, "--stream"},
		{"ndjson", `{"id":"a","type":"t","subject":"s","time":"yesterday"}`, "time: "},
		{"ndjson", `{"id":"a","type":"t","subject":"s","data_base64":"?"}`, "data_base64: "},
		{"ndjson", `{"id":"a","type":"t","subject":"s","position":-7}`, "position: "},
		{"ndjson", `{"id":"a","type":7,"subject":"s"}`, "type: "},
		{"ndjson", `[]`, "line 1: "},
		{"csv", "stream,payload\na,b\n", `no column "id"`},
		{"csv", "id,type,stream\n7,t,\n", "line 2: it has no stream"},
		{"csv", "id,type,stream\n7,t\n", "line 2"},
		{"csv", "id,type,stream,encoding\n7,?,s,type=base64\n", "type: "},
	}
	for _, tt := range tests {
		f, _, err := FormatOf(tt.format, "")
		require.NoError(t, err)
		_, err = collect(Read("-", strings.NewReader(tt.text), f, ReadOptions{}))
		require.ErrorContains(t, err, tt.want, tt.text)
	}
}

func TestFormatsAreKnownByTheirNames(t *testing.T) {
	tests := []struct{ format, path, want string }{
		{"", "a.ndjson", "ndjson 0"}, {"", "a.JSONL.GZ", "ndjson 1"}, {"", "a.csv.zst", "csv 2"}, {"", "-", "ndjson 0"},
		{"csv", "-", "csv 0"}, {"", "x/a.db", "sqlite 0"}, {"parquet", "a", "parquet 0"},
		{"", "a.parquet.gz", "leave .gz away"}, {"", "a", "--format"}, {"xml", "a.csv", "there is no format"},
	}
	for _, tt := range tests {
		f, c, err := FormatOf(tt.format, tt.path)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(f.Name, " ", int(c))
		}
		assert.Contains(t, got, tt.want, tt.path)
	}
}

func TestCompressedTextIsReadWhateverItsName(t *testing.T) {
	want := oddEvents(3, 50)
	for c := range compressions {
		var b bytes.Buffer
		n, err := WriteTo(&b, lineFormat, Compression(c), "urn:x", func(yield func(eventfold.Event, error) bool) {
			for _, e := range want {
				if !yield(e, nil) {
					return
				}
			}
		})
		require.NoError(t, err)
		assert.Equal(t, int64(50), n)
		got, err := collect(Read("-", &b, lineFormat, ReadOptions{}))
		require.NoError(t, err)
		requireSame(t, want, got, "")
	}
}

// A file may be anything: what is no event is an error, and nothing panics or goes on for ever.
func TestDamagedFilesAreErrorsOrEvents(t *testing.T) {
	random := rand.New(rand.NewPCG(testenv.Seed(t), 9))
	want := counted(oddEvents(1, 60))
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		f, c, err := FormatOf("", path)
		require.NoError(t, err)
		target, err := OpenTarget(path, f, c, Plan{})
		require.NoError(t, err)
		write(t, target, want)
		require.NoError(t, target.Finish(nil))
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		for range testenv.Scale(10, 3000) {
			b := bytes.Clone(whole[:len(whole)-random.IntN(2)*random.IntN(len(whole))])
			for range random.IntN(4) {
				if len(b) > 0 {
					b[random.IntN(len(b))] ^= byte(1 << random.IntN(8))
				}
			}
			require.NoError(t, os.WriteFile(path, b, 0o600))
			got, _ := collect(Read(path, nil, f, ReadOptions{Stream: "s"}))
			assert.LessOrEqual(t, len(got), len(want))
		}
	}
}

// Somebody looks into an unfinished file of SQLite and keeps it locked. That is no reason to begin
// again: what is in it stays.
func TestAnUnfinishedFileThatIsLockedIsNoneToBeginAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "e.sqlite")
	f, c, err := FormatOf("", path)
	require.NoError(t, err)
	plan := Plan{Format: f.Name, Head: "9:aa"}
	target, err := OpenTarget(path, f, c, plan)
	require.NoError(t, err)
	write(t, target, counted(oddEvents(1, 50)))
	require.NoError(t, target.Close())
	other, err := openSQLiteFile(path+partSuffix, "")
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Exec("BEGIN EXCLUSIVE")
	require.NoError(t, err)
	_, err = Begun(path, f)
	require.ErrorContains(t, err, "locked")
	require.ErrorAs(t, err, new(*StuckError))
	_, err = OpenTarget(path, f, c, plan)
	require.ErrorContains(t, err, "locked")

	_, err = other.Exec("ROLLBACK")
	require.NoError(t, err)
	before, err := Begun(path, f)
	require.NoError(t, err)
	assert.Equal(t, &plan, before)
	target, err = OpenTarget(path, f, c, plan)
	require.NoError(t, err)
	assert.Equal(t, engine.Position(50), target.Next())
	require.NoError(t, target.Close())
}

// A store gives an event without an id a new one, so that a file with such events would double them
// each time that it is imported.
func TestAnIDOfZerosIsRefusedInEveryFormat(t *testing.T) {
	events := counted(oddEvents(2, 3))
	events[2].ID = uuid.Nil
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		f, c, err := FormatOf("", path)
		require.NoError(t, err)
		target, err := OpenTarget(path, f, c, Plan{Format: name})
		require.NoError(t, err)
		write(t, target, events)
		if f.Name == "parquet" { // which is made of lines, and they are refused
			require.NoError(t, target.Close())
			writeRows(t, path, events)
		} else {
			require.NoError(t, target.Finish(nil), name)
		}
		got, err := collect(Read(path, nil, f, ReadOptions{}))
		require.ErrorContains(t, err, "its id is all zeros", name)
		var where *InputError
		require.ErrorAs(t, err, &where, name)
		if !strings.Contains(name, "csv") { // texts in cells have lines of their own
			assert.Equal(t, 3, where.Line, name)
		}
		assert.Len(t, got, 2, name)
	}
}

// writeRows makes a file of Parquet.
func writeRows(t *testing.T, path string, events []eventfold.Event) {
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, writeParquet(file, func(yield func(eventfold.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}))
	require.NoError(t, file.Close())
}

// An id that is no UUID, or another spelling of one, is the same each time in every format.
func TestIDsOfOthersAreTheSameEachTime(t *testing.T) {
	tests := []struct {
		text string
		want string // "" is an error
	}{
		{"5d2f7c1e-54c6-5d0a-9d0e-3c1d0e8f6b7a", "5d2f7c1e-54c6-5d0a-9d0e-3c1d0e8f6b7a"},
		{"5D2F7C1E-54C6-5D0A-9D0E-3C1D0E8F6B7A", "5d2f7c1e-54c6-5d0a-9d0e-3c1d0e8f6b7a"},
		{"ffffffff-ffff-ffff-ffff-ffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{"", ""},
		{"00000000-0000-0000-0000-000000000000", ""},
	}
	for _, tt := range tests {
		got, err := idOf(tt.text, "/s")
		assert.Equal(t, tt.want == "", err != nil, tt.text)
		if err == nil {
			assert.Equal(t, tt.want, got.String())
		}
	}
	others := []string{"A-1", "0", "00000000000000000000000000000000", "{00000000-0000-0000-0000-000000000000}"}
	for _, text := range others {
		one, err := idOf(text, "/s")
		require.NoError(t, err)
		again, err := idOf(text, "/s")
		require.NoError(t, err)
		assert.Equal(t, one, again)
		assert.NotEqual(t, uuid.Nil, one)
		other, err := idOf(text, "/t")
		require.NoError(t, err)
		assert.NotEqual(t, one, other)
	}
}

// Who is killed while lines become Parquet has all lines, and begins only that again.
func TestParquetThatWasLeftHalfWayNeedsNoEventAgain(t *testing.T) {
	want := counted(oddEvents(5, 300))
	path := filepath.Join(t.TempDir(), "e.parquet")
	f, c, err := FormatOf("", path)
	require.NoError(t, err)
	plan := Plan{Format: f.Name, Head: "300:aa"}
	target, err := OpenTarget(path, f, c, plan)
	require.NoError(t, err)
	write(t, target, want)
	assert.Panics(t, func() { _ = target.Finish(func(int64) { panic("killed") }) })
	require.NoError(t, target.Close())
	before, err := Begun(path, f)
	require.NoError(t, err)
	require.Equal(t, &plan, before)
	target, err = OpenTarget(path, f, c, plan)
	require.NoError(t, err)
	require.Equal(t, engine.Position(300), target.Next())
	require.NoError(t, target.Finish(nil))
	got, err := collect(Read(path, nil, f, ReadOptions{}))
	require.NoError(t, err)
	requireSame(t, want, got, "")
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left beside it")
}
