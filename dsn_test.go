package eventfold

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

// dsnSamples are a value of every key that is not its default, as FormatDSN writes it.
var dsnSamples = map[string]string{
	"mode":           "ro",
	"busy_timeout":   "7s",
	"sync":           "interval",
	"query_memory":   "3MiB",
	"spill":          "7GiB",
	"spill_dir":      "/var/tmp",
	"memory":         "5MiB",
	"view_memory":    "3MiB",
	"max_event_size": "128KiB",
	"json":           "text,require",
	"begin":          "allow",
	"isolation":      "serializable",
	"backup":         "allow",
	"actor":          "dpo@example.com",
	"expect":         "17:" + strings.Repeat("ab", 32),
	"compress":       "zstd",
	"compress_cache": "64MiB",
	"prealloc":       "reserve",
	"sync_interval":  "3ms",
	"segment_size":   "64KiB",
	"queue_length":   "7",
	"network":        "allow",
}

// notInADSN are the fields of a Config that have no key, and why.
var notInADSN = map[string]string{
	"Functions": "are written in Go",
	"Logger":    "a logger cannot be written",
	"Path":      "it stands before the keys",
	"Now":       "a func cannot be written",
	"Store":     "an open store cannot be written",

	"Keyring": "a keyring has secrets, and a DSN is shown",
}

// TestEveryDSNKeyIsWhole fails if a part of a key is forgotten: a row without a sample here or a
// line in the comment of ParseDSN, a field of Config without a row, a value that is not written as
// it is read, an option that does not reach the engine, one of the store's that connectors need not
// agree on, and a number that is not checked.
func TestEveryDSNKeyIsWhole(t *testing.T) {
	comment := commentOfParseDSN(t)
	set := make(map[string]bool)
	var plain Config
	_, plainOptions := plain.engineOptions()
	for _, k := range dsnKeys {
		sample, ok := dsnSamples[k.name]
		require.True(t, ok, "%s needs a sample in this test", k.name)
		var c Config
		require.NoError(t, k.parse(&c, sample), k.name)
		assert.Equal(t, sample, k.format(c), k.name)
		assert.Empty(t, k.format(plain), "%s is written although it has its default", k.name)
		fields := changed(plain, c)
		assert.NotEmpty(t, fields, "%s changes nothing", k.name)
		for _, field := range fields {
			assert.False(t, set[field], "%s is set by two keys", field)
			set[field] = true
		}
		assert.Equal(t, k.doc, comment[k.name], "the comment of ParseDSN tells what %s may be", k.name)

		_, options := c.engineOptions()
		reached := changed(plainOptions, options)
		assert.Equal(t, isOption(fields[0]), k.apply != nil, "%s is the engine's or it is not", k.name)
		if k.apply != nil {
			assert.Equal(t, fields, reached, "%s must reach the engine", k.name)
			assert.True(t, k.shared, "%s belongs to the store", k.name)
		}
		if k.shared {
			assert.NotEmpty(t, k.meant, k.name)
			assert.ErrorContains(t, plain.agree(c), k.name+"="+k.meant+", not "+k.name+"="+sample)
		} else {
			assert.NoError(t, plain.agree(c), k.name)
		}
	}
	assert.Len(t, comment, len(dsnKeys))
	for _, field := range fieldsOf[Config]() {
		assert.NotEqual(t, notInADSN[field] != "", set[field], "the field %s has one key, or a reason for none", field)
	}
	assert.ErrorContains(t, plain.agree(Config{Now: time.Now}), "Now")
}

// TestEveryNumberOfAConfigIsChecked sets every number to one that makes no sense.
func TestEveryNumberOfAConfigIsChecked(t *testing.T) {
	for _, field := range fieldsOf[Config]() {
		c := Config{Path: "e"}
		switch f := reflect.ValueOf(&c).Elem().FieldByName(field); {
		case field == "BusyTimeout", field == "Spill": // a negative one means not at all
			continue
		case f.CanInt():
			f.SetInt(-1)
		case f.CanUint():
			f.SetUint(200)
		default:
			continue
		}
		assert.Error(t, c.validate(), field)
	}
}

// isOption reports whether the engine has an option of a field's name that it must be told.
func isOption(field string) bool {
	switch field {
	case "BusyTimeout": // a connection waits, and not the engine
		return false
	case "Expect": // a lease looks at it, because the store may be open already
		return false
	}
	return slices.Contains(fieldsOf[filestore.Options](), field)
}

// commentOfParseDSN returns what the comment says of every key.
func commentOfParseDSN(t *testing.T) map[string]string {
	source, err := os.ReadFile("dsn.go")
	require.NoError(t, err)
	_, keys, ok := strings.Cut(string(source), "// The keys are those of Config:\n//\n")
	require.True(t, ok)
	keys, _, _ = strings.Cut(keys, "\n//\n")
	found := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+) +(.*)$`).FindAllStringSubmatch(keys, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// fieldsOf returns the names of a struct's exported fields.
func fieldsOf[T any]() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if f.IsExported() {
			names = append(names, f.Name)
		}
	}
	return names
}

// changed returns the names of the exported fields in which two structs differ.
func changed[T any](before, after T) (names []string) {
	v, w := reflect.ValueOf(before), reflect.ValueOf(after)
	for _, name := range fieldsOf[T]() {
		if !reflect.DeepEqual(v.FieldByName(name).Interface(), w.FieldByName(name).Interface()) {
			names = append(names, name)
		}
	}
	return names
}
