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
	syncs        = []choice{{"always", uint8(engine.SyncAlways)}, {"interval", uint8(engine.SyncInterval)}}
	compressions = []choice{{"none", uint8(engine.CompressNone)}, {"zstd", uint8(engine.CompressZstd)}}
	preallocs    = []choice{{"auto", uint8(engine.PreallocAuto)}, {"zero", uint8(engine.PreallocZero)},
		{"reserve", uint8(engine.PreallocReserve)}, {"none", uint8(engine.PreallocNone)}}
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
	wordKey("sync", syncs, func(c *Config) *engine.SyncMode { return &c.Sync }),
	{"query_memory", parseQueryMemory, func(c Config) string { return formatSize(c.QueryMemory) }},
	{"memory", parseMemory, func(c Config) string { return formatSize(c.Memory) }},
	{"max_event_size", parseMaxEventSize, func(c Config) string { return formatSize(int64(c.MaxEventSize)) }},
	{"json", parseJSONWords, formatJSONWords},
	flagKey("begin", begins, func(c *Config) *bool { return &c.Begin }),
	flagKey("backup", backups, func(c *Config) *bool { return &c.Backup }),
	{"expect", parseHead, formatHead},
	wordKey("compress", compressions, func(c *Config) *engine.Compression { return &c.Compress }),
	wordKey("prealloc", preallocs, func(c *Config) *engine.Prealloc { return &c.Prealloc }),
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
	if err == nil && (n < engine.MinSegmentSize || n > engine.MaxSegmentSize) {
		return fmt.Errorf("it must be from %s to %s", formatSize(engine.MinSegmentSize), formatSize(engine.MaxSegmentSize))
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
