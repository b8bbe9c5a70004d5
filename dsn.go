package eventfold

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// A Config says how a store is opened. The zero value with a Path is what most programs want.
type Config struct {
	// Path is the directory of the store. With ModeMemory it is the name of a store in memory that every Connector of this
	// process shares, or "" for one that is the Connector's own.
	Path string
	// Mode says what may be done to the store.
	Mode Mode
	// BusyTimeout is how long an append waits for the write lock while another process holds it.
	// 0 means engine.DefaultBusyTimeout, which is five seconds; a negative duration means not at all.
	BusyTimeout time.Duration
	// QueryMemory is how many bytes one query may hold: rows that it sorts, groups and joins, and the texts that it makes. One text
	// may take a quarter of it. 0 means query.DefaultMemory, which is 256 MiB.
	QueryMemory int64
	// JSONText makes the JSON columns come out as string instead of []byte.
	JSONText bool
	// JSONRequire refuses a payload that is not JSON, as encoding/json understands it. Without it such a payload is stored as the bytes that it is.
	// It is about INSERT; Store.Append takes what it is given.
	JSONRequire bool
	// Backup allows BACKUP TO with mode ReadOnly and in read-only transactions too, which may write nothing otherwise.
	Backup bool
	// Expect is a head of the store that is known from elsewhere, such as an earlier Head of engine.FileStore or of a backup; the zero Head is none.
	// A store whose chain at that position is another one, or which is shorter, is refused with a *HeadError.
	Expect engine.Head

	// Begin allows BEGIN as a statement by itself, whose transaction stays open on the connection: for programs that
	// pin a sql.Conn. Otherwise it is an error, because the next statement may run on another connection of the pool,
	// where it would be committed by itself.
	Begin bool

	// The fields that follow belong to the store, not to the connection: all Connectors of one store in one process must
	// give them alike.

	// Sync says when an append is acknowledged.
	Sync filestore.SyncMode
	// SyncInterval is the longest time between syncs with engine.SyncInterval. 0 means engine.DefaultSyncInterval, which is 10 milliseconds.
	SyncInterval time.Duration
	// SegmentSize is the size in bytes of every file of the log, from engine.MinSegmentSize to engine.MaxSegmentSize. 0 lets it grow with the store.
	SegmentSize int64
	// QueueLength is the number of appends that may wait for the writer before their callers do. 0 means engine.DefaultQueueLength, which is 4,096.
	QueueLength int
	// Now is the clock of the store, by which recorded_at is given, and of SQL's now(). nil means time.Now. It has no place in a DSN. Of two Connectors
	// of one store either both give a clock or none does; the clock of whoever opens the store first is the one that counts.
	Now func() time.Time
	// MaxEventSize limits type, payload, metadata and tags of one event, in bytes, from engine.MinEventLimit to
	// engine.MaxEventLimit. 0 means engine.DefaultMaxEventSize, which is 1 MiB.
	MaxEventSize int
	// Compress says how sealed segments are stored.
	Compress filestore.Compression
	// Prealloc says how room for the next segment is made.
	Prealloc filestore.Prealloc
	// Memory is how many bytes all queries of the store in this process may hold together. Each takes what it holds, beyond its first
	// 64 KiB, from here. 0 means query.DefaultStoreMemory, which is 1 GiB.
	Memory int64
	// Network opens a store on a network file system too, which is refused otherwise: see engine.Options.
	Network bool

	// Store, if not nil, is used instead of the store at Path, which is then ignored together with the fields above it.
	// Who opened it closes it, after the *sql.DB. It has no place in a DSN.
	Store engine.Store
}

// A Mode says what may be done to a store.
type Mode uint8

// The modes.
const (
	ReadWriteCreate Mode = iota // mode=rwc: read, append, and create the store if it is not there
	ReadWrite                   // mode=rw: read and append; the store must be there
	// mode=ro: only read; works on a read-only file system and writes nothing at all unless Backup allows it; the store must
	// be there
	ReadOnly
	Memory // mode=memory: read and append in memory; gone when nothing uses it any more
)

// memoryPath is the DSN path of a store in memory that is private to its Connector.
const memoryPath = ":memory:"

// A choice is one word that a DSN key takes and the number it stands for. The default comes first.
type choice struct {
	word  string
	value uint8
}

var (
	modes        = []choice{{"rwc", uint8(ReadWriteCreate)}, {"rw", uint8(ReadWrite)}, {"ro", uint8(ReadOnly)}, {"memory", uint8(Memory)}}
	syncs        = []choice{{"always", uint8(filestore.SyncAlways)}, {"interval", uint8(filestore.SyncInterval)}}
	compressions = []choice{{"none", uint8(filestore.CompressNone)}, {"zstd", uint8(filestore.CompressZstd)}}
	preallocs    = []choice{{"auto", uint8(filestore.PreallocAuto)}, {"zero", uint8(filestore.PreallocZero)},
		{"reserve", uint8(filestore.PreallocReserve)}, {"none", uint8(filestore.PreallocNone)}}
	begins   = []choice{{"refuse", 0}, {"allow", 1}}
	networks = []choice{{"refuse", 0}, {"allow", 1}}
	backups  = []choice{{"writers", 0}, {"allow", 1}}
)

// A dsnKey is one key of a DSN: how its value is read into a Config, and how it is written, "" if it has its default.
type dsnKey struct {
	name   string
	parse  func(c *Config, value string) error
	format func(c Config) string
}

// dsnKeys are the keys in the order in which FormatDSN writes them.
var dsnKeys = []dsnKey{
	wordKey("mode", modes, func(c *Config) *Mode { return &c.Mode }),
	{"busy_timeout", parseBusyTimeout, formatBusyTimeout},
	wordKey("sync", syncs, func(c *Config) *filestore.SyncMode { return &c.Sync }),
	{"query_memory", parseQueryMemory, func(c Config) string { return formatSize(c.QueryMemory) }},
	{"memory", parseMemory, func(c Config) string { return formatSize(c.Memory) }},
	{"max_event_size", parseMaxEventSize, func(c Config) string { return formatSize(int64(c.MaxEventSize)) }},
	{"json", parseJSONWords, formatJSONWords},
	flagKey("begin", begins, func(c *Config) *bool { return &c.Begin }),
	flagKey("backup", backups, func(c *Config) *bool { return &c.Backup }),
	{"expect", parseHead, formatHead},
	wordKey("compress", compressions, func(c *Config) *filestore.Compression { return &c.Compress }),
	wordKey("prealloc", preallocs, func(c *Config) *filestore.Prealloc { return &c.Prealloc }),
	{"sync_interval", parseSyncInterval, formatSyncInterval},
	{"segment_size", parseSegmentSize, func(c Config) string { return formatSize(c.SegmentSize) }},
	{"queue_length", parseQueueLength, formatQueueLength},
	flagKey("network", networks, func(c *Config) *bool { return &c.Network }),
}

// dsnHints help with keys of other drivers.
var dsnHints = map[string]string{
	"cache":         "a store in memory is shared by its name: file:name?mode=memory",
	"_busy_timeout": "write busy_timeout=5s",
	"_pragma":       "there are no pragmas",
	"_txlock":       "a transaction takes its snapshot without a lock",
	"immutable":     "write mode=ro",
	"access_mode":   "write mode=ro",
}

// ParseDSN reads a data source name. It touches no disk.
//
// A DSN is the path of a directory, or a URI that begins with file: or eventfold:, or :memory:, followed by ?key=value&key=value.
// Only in a URI are %xx decoded; otherwise the path is literal up to the first question mark. A URI of any other kind, such as
// sqlite://x, is refused, and so is a host: eventfold://x would name one.
//
//	/var/lib/shop/events
//	events?mode=ro
//	file:/path/with%20space?sync=interval&busy_timeout=500ms
//	eventfold:///var/lib/shop/events
//	:memory:
//	file:fixtures?mode=memory
//
// The keys are those of Config: mode (rwc, rw, ro, memory), busy_timeout (a duration such as 5s; 0 for not at all),
// sync (always, interval), query_memory, memory and max_event_size (bytes, or a number with KiB, MiB or GiB), json (bytes
// or text, and require, separated by a comma), begin (refuse, allow), backup (writers, allow: who may run BACKUP TO),
// expect (a position, a colon, and 64 hexadecimal digits of the chain), compress (none, zstd), prealloc (auto, zero,
// reserve, none), sync_interval (a duration), segment_size (bytes), queue_length (a number), network (refuse, allow). A
// key that is unknown or given twice and a value that is not allowed are an [*Error] with the code [ErrConfig].
func ParseDSN(dsn string) (Config, error) {
	c, err := parseDSN(dsn)
	if err != nil {
		return Config{}, &Error{Code: ErrConfig, Op: "open", Err: fmt.Errorf("data source name: %w", err)}
	}
	return c, nil
}

func parseDSN(dsn string) (Config, error) {
	path, options, _ := strings.Cut(dsn, "?")
	decode := func(s string) (string, error) { return s, nil }
	switch scheme := schemeOf(path); scheme {
	case "":
	case "file", "eventfold":
		decode = url.PathUnescape
		var err error
		if path, err = uriPath(scheme, path[len(scheme)+1:]); err != nil {
			return Config{}, err
		}
	default:
		return Config{}, fmt.Errorf("%s:// is no store of this driver; write the path of a directory, file:path or file:///path", scheme)
	}
	if path == "" {
		return Config{}, fmt.Errorf("no path; a store in memory is %s", memoryPath)
	}
	c := Config{Path: path}.normal()
	if err := c.parseOptions(options, decode); err != nil {
		return Config{}, err
	}
	if path == memoryPath && c.Mode != Memory {
		return Config{}, fmt.Errorf("%s allows no other mode than memory", memoryPath)
	}
	return c, c.validate()
}

// normal makes the path :memory: what it stands for.
func (c Config) normal() Config {
	if c.Path == memoryPath && (c.Mode == ReadWriteCreate || c.Mode == Memory) {
		c.Path, c.Mode = "", Memory
	}
	return c
}

// schemeOf returns the scheme of a path that is meant as a URI, in lower case, "" for any other: whatever begins with file: or
// eventfold:, and with :// behind a scheme. One letter is a drive.
func schemeOf(path string) string {
	scheme, rest, ok := strings.Cut(path, ":")
	if !ok || len(scheme) < 2 || strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
		return ""
	}
	scheme = strings.ToLower(scheme)
	if scheme == "file" || scheme == "eventfold" || strings.HasPrefix(rest, "//") && !strings.HasPrefix(scheme, ".") {
		return scheme
	}
	return ""
}

// uriPath decodes what stands between the scheme and the question mark.
func uriPath(scheme, uri string) (string, error) {
	if strings.Contains(uri, "#") {
		return "", fmt.Errorf("a # in a %s: URI is written %%23", scheme)
	}
	if rest, ok := strings.CutPrefix(uri, "//"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if host != "" && host != "localhost" {
			return "", fmt.Errorf("%s://%s names a host; a path is written %[1]s:path or %[1]s:///path", scheme, host)
		}
		uri = rest[len(host):]
	}
	path, err := url.PathUnescape(uri)
	if err != nil {
		return "", err
	}
	if runtime.GOOS == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:] // file:///C:/events
	}
	return path, nil
}

func (c *Config) parseOptions(options string, decode func(string) (string, error)) error {
	seen := make(map[string]bool)
	for option := range strings.SplitSeq(options, "&") {
		if option == "" {
			continue
		}
		name, value, _ := strings.Cut(option, "=")
		name, err := decode(name)
		if err != nil {
			return err
		}
		if value, err = decode(value); err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		if err := c.parseOption(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) parseOption(name, value string) error {
	for _, k := range dsnKeys {
		if k.name != name {
			continue
		}
		if err := k.parse(c, value); err != nil {
			return fmt.Errorf("%s=%s: %w", name, value, err)
		}
		return nil
	}
	if hint := dsnHints[name]; hint != "" {
		return fmt.Errorf("unknown key %q (%s)", name, hint)
	}
	names := make([]string, len(dsnKeys))
	for i, k := range dsnKeys {
		names[i] = k.name
	}
	return fmt.Errorf("unknown key %q; the keys are %s", name, strings.Join(names, ", "))
}

// validate checks what the types of the fields leave open.
func (c Config) validate() error {
	if c.Store != nil {
		return nil
	}
	switch {
	case strings.ContainsRune(c.Path, 0):
		return fmt.Errorf("the path contains a NUL")
	case c.Path == "" && c.Mode != Memory:
		return fmt.Errorf("no path; a store in memory has the mode Memory")
	case c.Path == memoryPath:
		return fmt.Errorf("%s allows no other mode than memory", memoryPath)
	case c.Expect != (engine.Head{}) && c.Expect.Position < 1:
		return fmt.Errorf("expect names position %d, it must be positive", c.Expect.Position)
	case c.QueryMemory < 0:
		return fmt.Errorf("query_memory is %d, it must not be negative", c.QueryMemory)
	case c.SyncInterval < 0:
		return fmt.Errorf("sync_interval is %v, it must not be negative", c.SyncInterval)
	case c.QueueLength < 0:
		return fmt.Errorf("queue_length is %d, it must not be negative", c.QueueLength)
	case c.SegmentSize != 0 && (c.SegmentSize < filestore.MinSegmentSize || c.SegmentSize > filestore.MaxSegmentSize):
		return fmt.Errorf("segment_size is %d, it must be from %d to %d bytes", c.SegmentSize, filestore.MinSegmentSize, filestore.MaxSegmentSize)
	case c.Memory < 0:
		return fmt.Errorf("memory is %d, it must not be negative", c.Memory)
	case c.MaxEventSize != 0 && (c.MaxEventSize < engine.MinEventLimit || c.MaxEventSize > engine.MaxEventLimit):
		return fmt.Errorf("max_event_size is %d, it must be from %d to %d bytes", c.MaxEventSize, engine.MinEventLimit, engine.MaxEventLimit)
	}
	for _, w := range []struct {
		name    string
		choices []choice
		value   uint8
	}{{"mode", modes, uint8(c.Mode)}, {"sync", syncs, uint8(c.Sync)}, {"compress", compressions, uint8(c.Compress)}, {"prealloc", preallocs, uint8(c.Prealloc)}} {
		if wordOf(w.choices, w.value) == "" {
			return fmt.Errorf("%s has no value %d", w.name, w.value)
		}
	}
	return nil
}

// FormatDSN writes a Config as a DSN from which ParseDSN makes the same Config again.
// The path is given plainly where it can be, and as a file: URI where it holds what a DSN would read differently.
func FormatDSN(c Config) string {
	c = c.normal()
	var b strings.Builder
	plainMemory := c.Mode == Memory && c.Path == ""
	switch {
	case plainMemory:
		b.WriteString(memoryPath)
	case schemeOf(c.Path) != "" || strings.Contains(c.Path, "?"):
		b.WriteString(formatURI(c.Path))
	default:
		b.WriteString(c.Path)
	}
	separator := byte('?')
	for _, k := range dsnKeys {
		value := k.format(c)
		if value == "" || plainMemory && k.name == "mode" {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(k.name + "=" + value)
		separator = '&'
	}
	return b.String()
}

// formatURI writes a path as a file: URI.
func formatURI(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	uri := strings.Join(segments, "/")
	if strings.HasPrefix(uri, "/") {
		return "file://" + uri
	}
	return "file:" + uri
}

// wordKey is a key that takes one of a few words.
func wordKey[T ~uint8](name string, choices []choice, field func(*Config) *T) dsnKey {
	return choiceKey(name, choices, func(c *Config) uint8 { return uint8(*field(c)) }, func(c *Config, v uint8) { *field(c) = T(v) })
}

// flagKey is a key that takes one of two words, the second for true.
func flagKey(name string, choices []choice, field func(*Config) *bool) dsnKey {
	return choiceKey(name, choices, func(c *Config) uint8 { return wordIf(*field(c)) }, func(c *Config, v uint8) { *field(c) = v == 1 })
}

// choiceKey is a key that takes the word of one of the choices. The first is what is meant without the key.
func choiceKey(name string, choices []choice, get func(*Config) uint8, set func(*Config, uint8)) dsnKey {
	return dsnKey{
		name: name,
		parse: func(c *Config, value string) error {
			v, err := parseWord(choices, value)
			if err == nil {
				set(c, v)
			}
			return err
		},
		format: func(c Config) string {
			if v := get(&c); v != choices[0].value {
				return wordOf(choices, v)
			}
			return ""
		},
	}
}

func parseWord(choices []choice, word string) (uint8, error) {
	words := make([]string, len(choices))
	for i, c := range choices {
		if c.word == word {
			return c.value, nil
		}
		words[i] = c.word
	}
	return 0, fmt.Errorf("it must be one of %s", strings.Join(words, ", "))
}

// wordOf returns the word for a value, "" if there is none.
func wordOf(choices []choice, value uint8) string {
	for _, c := range choices {
		if c.value == value {
			return c.word
		}
	}
	return ""
}

// wordIf is the value of the second of two words if set.
func wordIf(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}

// parseHead reads a position and a chain value: 1000:9f86d0…
func parseHead(c *Config, value string) error {
	position, chain, _ := strings.Cut(value, ":")
	p, err := strconv.ParseUint(position, 10, 63)
	b, errChain := hex.DecodeString(chain)
	if err != nil || errChain != nil || len(b) != len(c.Expect.Chain) || p == 0 {
		return fmt.Errorf("it must be a position, a colon and %d hexadecimal digits", 2*len(c.Expect.Chain))
	}
	c.Expect = engine.Head{Position: engine.Position(p), Chain: [32]byte(b)}
	return nil
}

func formatHead(c Config) string {
	if c.Expect == (engine.Head{}) {
		return ""
	}
	return fmt.Sprintf("%d:%x", c.Expect.Position, c.Expect.Chain)
}

func parseBusyTimeout(c *Config, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return fmt.Errorf("it must be a duration such as 500ms or 5s, or 0")
	}
	c.BusyTimeout = d
	if d == 0 {
		c.BusyTimeout = -1
	}
	return nil
}

func formatBusyTimeout(c Config) string {
	switch {
	case c.BusyTimeout == 0:
		return ""
	case c.BusyTimeout < 0:
		return "0"
	}
	return c.BusyTimeout.String()
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
			return fmt.Errorf("it must be one of bytes, text, and require or not, separated by a comma")
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

func parseSyncInterval(c *Config, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return fmt.Errorf("it must be a positive duration such as 10ms")
	}
	c.SyncInterval = d
	return nil
}

func formatSyncInterval(c Config) string {
	if c.SyncInterval == 0 {
		return ""
	}
	return c.SyncInterval.String()
}

func parseSegmentSize(c *Config, value string) error {
	n, err := parseSize(value)
	if err == nil && (n < filestore.MinSegmentSize || n > filestore.MaxSegmentSize) {
		return fmt.Errorf("it must be from %s to %s", formatSize(filestore.MinSegmentSize), formatSize(filestore.MaxSegmentSize))
	}
	c.SegmentSize = n
	return err
}

func parseQueueLength(c *Config, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 {
		return fmt.Errorf("it must be a positive number of appends")
	}
	c.QueueLength = n
	return nil
}

func formatQueueLength(c Config) string {
	if c.QueueLength == 0 {
		return ""
	}
	return strconv.Itoa(c.QueueLength)
}

func parseQueryMemory(c *Config, value string) error {
	n, err := parseSize(value)
	c.QueryMemory = n
	return err
}

func parseMemory(c *Config, value string) error {
	n, err := parseSize(value)
	c.Memory = n
	return err
}

func parseMaxEventSize(c *Config, value string) error {
	n, err := parseSize(value)
	if err == nil && (n < engine.MinEventLimit || n > engine.MaxEventLimit) {
		return fmt.Errorf("it must be from 64KiB to 16MiB")
	}
	c.MaxEventSize = int(n)
	return err
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// parseSize reads a positive number of bytes.
func parseSize(text string) (int64, error) {
	unit := int64(1)
	for _, u := range sizeUnits {
		if digits, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = digits, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 || int64(n) > (1<<63-1)/unit {
		return 0, fmt.Errorf("it must be a positive number of bytes, or one with KiB, MiB or GiB")
	}
	return int64(n) * unit, nil
}

// formatSize writes a number of bytes with the largest unit that divides it, "" for 0.
func formatSize(n int64) string {
	if n == 0 {
		return ""
	}
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
