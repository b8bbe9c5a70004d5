package eventfold

import (
	"fmt"
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/query"
)

// A dsnKey is one key of a DSN, and all that there is to know about it. TestEveryDSNKeyIsWhole
// holds that nothing of it is forgotten.
type dsnKey struct {
	name  string
	doc   string // what its value may be, as the comment of ParseDSN has it
	meant string // what a Config without it means, for agree; "" unless the key is shared

	// shared is set if the key belongs to the store, so that all Connectors of one store in one
	// process must agree.
	shared bool

	parse  func(c *Config, value string) error
	format func(c Config) string                // "" if the Config has nothing to say
	check  func(c Config) error                 // of a Config made by hand; nil allows every value
	apply  func(c Config, o *filestore.Options) // nil if the engine is not told
}

// dsnKeys are the keys in the order in which FormatDSN writes them.
var dsnKeys = []dsnKey{
	setting[Mode]{
		dsnKey: dsnKey{name: "mode"}, // a store for reading only is another one: see storeKey
		kind: words(choice[Mode]{"rwc", ReadWriteCreate}, choice[Mode]{"rw", ReadWrite},
			choice[Mode]{"ro", ReadOnly}, choice[Mode]{"memory", Memory}),
		field: func(c *Config) *Mode { return &c.Mode },
	}.key(),
	setting[time.Duration]{
		dsnKey: dsnKey{name: "busy_timeout"},
		kind:   patience,
		field:  func(c *Config) *time.Duration { return &c.BusyTimeout },
	}.key(),
	setting[filestore.SyncMode]{
		dsnKey: dsnKey{name: "sync", shared: true, meant: "always"},
		kind: words(choice[filestore.SyncMode]{"always", filestore.SyncAlways},
			choice[filestore.SyncMode]{"interval", filestore.SyncInterval}),
		field:  func(c *Config) *filestore.SyncMode { return &c.Sync },
		option: func(o *filestore.Options) *filestore.SyncMode { return &o.Sync },
	}.key(),
	setting[int64]{
		dsnKey: dsnKey{name: "query_memory"},
		kind:   sizes[int64](0, 0),
		field:  func(c *Config) *int64 { return &c.QueryMemory },
	}.key(),
	setting[int64]{
		dsnKey: dsnKey{name: "spill"},
		kind:   rooms,
		field:  func(c *Config) *int64 { return &c.Spill },
	}.key(),
	setting[string]{
		dsnKey: dsnKey{name: "spill_dir"},
		kind:   directories,
		field:  func(c *Config) *string { return &c.SpillDir },
	}.key(),
	setting[int64]{
		dsnKey: dsnKey{name: "memory", shared: true, meant: formatSize(query.DefaultStoreMemory)},
		kind:   sizes[int64](0, 0),
		field:  func(c *Config) *int64 { return &c.Memory },
	}.key(),
	setting[int64]{
		dsnKey: dsnKey{name: "view_memory", shared: true, meant: formatSize(query.DefaultViewMemory)},
		kind:   sizes[int64](0, 0),
		field:  func(c *Config) *int64 { return &c.ViewMemory },
	}.key(),
	setting[int]{
		dsnKey: dsnKey{
			name:   "max_event_size",
			shared: true,
			meant:  formatSize(engine.DefaultMaxEventSize),
		},
		kind:   sizes[int](engine.MinEventLimit, engine.MaxEventLimit),
		field:  func(c *Config) *int { return &c.MaxEventSize },
		option: func(o *filestore.Options) *int { return &o.MaxEventSize },
	}.key(),
	{
		name:   "json",
		doc:    "bytes or text, and require, separated by a comma",
		parse:  parseJSONWords,
		format: formatJSONWords,
	},
	setting[bool]{
		dsnKey: dsnKey{name: "begin"},
		kind:   words(choice[bool]{"refuse", false}, choice[bool]{"allow", true}),
		field:  func(c *Config) *bool { return &c.Begin },
	}.key(),
	setting[bool]{
		dsnKey: dsnKey{name: "isolation"},
		kind:   words(choice[bool]{"snapshot", false}, choice[bool]{"serializable", true}),
		field:  func(c *Config) *bool { return &c.Serializable },
	}.key(),
	setting[bool]{
		dsnKey: dsnKey{name: "backup"},
		kind:   words(choice[bool]{"writers", false}, choice[bool]{"allow", true}),
		field:  func(c *Config) *bool { return &c.Backup },
	}.key(),
	setting[string]{
		dsnKey: dsnKey{name: "actor"},
		kind:   actors,
		field:  func(c *Config) *string { return &c.Actor },
	}.key(),
	setting[engine.Head]{
		dsnKey: dsnKey{name: "expect"},
		kind:   heads,
		field:  func(c *Config) *engine.Head { return &c.Expect },
	}.key(),
	setting[filestore.Compression]{
		dsnKey: dsnKey{name: "compress", shared: true, meant: "none"},
		kind: words(choice[filestore.Compression]{"none", filestore.CompressNone},
			choice[filestore.Compression]{"zstd", filestore.CompressZstd}),
		field:  func(c *Config) *filestore.Compression { return &c.Compress },
		option: func(o *filestore.Options) *filestore.Compression { return &o.Compress },
	}.key(),
	setting[int64]{
		dsnKey: dsnKey{name: "compress_cache", shared: true, meant: formatSize(filestore.DefaultCompressCache)},
		kind:   sizes[int64](filestore.MinCompressCache, filestore.MaxCompressCache),
		field:  func(c *Config) *int64 { return &c.CompressCache },
		option: func(o *filestore.Options) *int64 { return &o.CompressCache },
	}.key(),
	setting[filestore.Prealloc]{
		dsnKey: dsnKey{name: "prealloc", shared: true, meant: "auto"},
		kind: words(choice[filestore.Prealloc]{"auto", filestore.PreallocAuto},
			choice[filestore.Prealloc]{"zero", filestore.PreallocZero},
			choice[filestore.Prealloc]{"reserve", filestore.PreallocReserve},
			choice[filestore.Prealloc]{"none", filestore.PreallocNone}),
		field:  func(c *Config) *filestore.Prealloc { return &c.Prealloc },
		option: func(o *filestore.Options) *filestore.Prealloc { return &o.Prealloc },
	}.key(),
	setting[time.Duration]{
		dsnKey: dsnKey{
			name:   "sync_interval",
			shared: true,
			meant:  filestore.DefaultSyncInterval.String(),
		},
		kind:   intervals,
		field:  func(c *Config) *time.Duration { return &c.SyncInterval },
		option: func(o *filestore.Options) *time.Duration { return &o.SyncInterval },
	}.key(),
	setting[int64]{
		dsnKey: dsnKey{name: "segment_size", shared: true, meant: "grows"},
		kind:   sizes[int64](filestore.MinSegmentSize, filestore.MaxSegmentSize),
		field:  func(c *Config) *int64 { return &c.SegmentSize },
		option: func(o *filestore.Options) *int64 { return &o.SegmentSize },
	}.key(),
	setting[int]{
		dsnKey: dsnKey{
			name:   "queue_length",
			shared: true,
			meant:  counts.format(filestore.DefaultQueueLength),
		},
		kind:   counts,
		field:  func(c *Config) *int { return &c.QueueLength },
		option: func(o *filestore.Options) *int { return &o.QueueLength },
	}.key(),
	setting[bool]{
		dsnKey: dsnKey{name: "network", shared: true, meant: "refuse"},
		kind:   words(choice[bool]{"refuse", false}, choice[bool]{"allow", true}),
		field:  func(c *Config) *bool { return &c.Network },
		option: func(o *filestore.Options) *bool { return &o.Network },
	}.key(),
}

// A setting is a key whose value is one field of a Config, and of the engine's Options if the
// engine is told. The zero value of a field is what is meant without the key.
type setting[T comparable] struct {
	dsnKey
	kind   kind[T]
	field  func(*Config) *T
	option func(*filestore.Options) *T // nil if the engine is not told
}

// key completes the row.
func (s setting[T]) key() dsnKey {
	k := s.dsnKey
	k.doc = s.kind.doc
	k.parse = func(c *Config, value string) error {
		v, err := s.kind.parse(value)
		if err == nil {
			*s.field(c) = v
		}
		return err
	}
	var zero T
	k.format = func(c Config) string {
		if v := *s.field(&c); v != zero {
			return s.kind.format(v)
		}
		return ""
	}
	if s.kind.check != nil {
		k.check = func(c Config) error {
			if v := *s.field(&c); v != zero {
				return s.kind.check(k.name, v)
			}
			return nil
		}
	}
	if s.option != nil {
		k.apply = func(c Config, o *filestore.Options) { *s.option(o) = *s.field(&c) }
	}
	return k
}

// value returns what a Config has or means, for the errors of agree.
func (k dsnKey) value(c Config) string {
	if value := k.format(c); value != "" {
		return value
	}
	return k.meant
}

// parseJSONWords reads how JSON comes out, bytes or text, and whether a payload must be JSON.
func parseJSONWords(c *Config, value string) error {
	shape, require := "", false
	for word := range strings.SplitSeq(value, ",") {
		switch {
		case word == "require" && !require:
			require = true
		case (word == "bytes" || word == "text") && shape == "":
			shape = word
		default:
			return fmt.Errorf("it must be one of bytes, text, and require or not, separated by a " +
				"comma")
		}
	}
	c.JSONText, c.JSONRequire = shape == "text", require
	return nil
}

func formatJSONWords(c Config) string {
	var words []string
	if c.JSONText {
		words = append(words, "text")
	}
	if c.JSONRequire {
		words = append(words, "require")
	}
	return strings.Join(words, ",")
}
