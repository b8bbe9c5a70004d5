package eventfold

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
)

// memoryPath is the DSN path of a store in memory that is private to its Connector.
const memoryPath = ":memory:"

// dsnHints help with keys of other drivers.
var dsnHints = map[string]string{
	"cache":         "a store in memory is shared by its name: file:name?mode=memory",
	"_busy_timeout": "write busy_timeout=5s",
	"_pragma":       "there are no pragmas",
	"_txlock":       "a transaction takes its snapshot without a lock",

	"default_transaction_isolation": "write isolation=serializable",
	"immutable":                     "write mode=ro",
	"access_mode":                   "write mode=ro",
}

// ParseDSN reads a data source name. It touches no disk.
//
// A DSN is the path of a directory, or a URI that begins with file: or eventfold:, or :memory:,
// followed by ?key=value&key=value. Only in a URI are %xx decoded; otherwise the path is literal up
// to the first question mark. A URI of any other kind, such as sqlite://x, is refused, and so is a
// host: eventfold://x would name one.
//
//	/var/lib/shop/events
//	events?mode=ro
//	file:/path/with%20space?sync=interval&busy_timeout=500ms
//	eventfold:///var/lib/shop/events
//	:memory:
//	file:fixtures?mode=memory
//
// The keys are those of Config:
//
//	mode            rwc, rw, ro, memory
//	busy_timeout    a duration such as 5s; 0 for not at all
//	sync            always, interval
//	query_memory    bytes, or a number with KiB, MiB or GiB
//	spill           bytes, or a number with KiB, MiB or GiB; 0 for none
//	spill_dir       the path of a directory
//	memory          bytes, or a number with KiB, MiB or GiB
//	view_memory     bytes, or a number with KiB, MiB or GiB
//	max_event_size  bytes, or a number with KiB, MiB or GiB
//	json            bytes or text, and require, separated by a comma
//	begin           refuse, allow
//	isolation       snapshot, serializable
//	backup          writers, allow
//	actor           who erases, up to 255 bytes
//	expect          a position, a colon, and 64 hexadecimal digits of the chain
//	compress        none, zstd
//	compress_cache  bytes, or a number with KiB, MiB or GiB
//	prealloc        auto, zero, reserve, none
//	sync_interval   a positive duration such as 10ms
//	segment_size    bytes, or a number with KiB, MiB or GiB
//	queue_length    a positive number of appends
//	network         refuse, allow
//
// A key that is unknown or given twice and a value that is not allowed are an [*Error] with the
// code [ErrConfig].
func ParseDSN(dsn string) (Config, error) {
	c, err := parseDSN(dsn)
	if err != nil {
		return Config{}, &Error{
			Code: ErrConfig,
			Op:   "open",
			Err:  fmt.Errorf("data source name: %w", err),
		}
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
		if c, known, err := parseRemote(scheme, dsn); known {
			return c, err
		}
		return Config{}, fmt.Errorf("%s:// is no store of this driver; "+
			"write the path of a directory, file:path or file:///path", scheme)
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

// schemeOf returns the scheme of a path that is meant as a URI, in lower case, "" for any other:
// whatever begins with file: or eventfold:, and with :// behind a scheme. One letter is a drive.
func schemeOf(path string) string {
	scheme, rest, ok := strings.Cut(path, ":")
	if !ok || len(scheme) < 2 ||
		strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
		return ""
	}
	scheme = strings.ToLower(scheme)
	foreign := strings.HasPrefix(rest, "//") && !strings.HasPrefix(scheme, ".")
	if scheme == "file" || scheme == "eventfold" || foreign {
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
			return "", fmt.Errorf("%s://%s names a host; a path is written %[1]s:path or "+
				"%[1]s:///path", scheme, host)
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

// FormatDSN writes a Config as a DSN from which ParseDSN makes the same Config again. The path is
// given plainly where it can be, and as a file: URI where it, or a value, holds what a DSN would
// read differently.
func FormatDSN(c Config) string {
	c = c.normal()
	var b strings.Builder
	plainMemory := c.Mode == Memory && c.Path == ""
	escape := func(value string) string { return value }
	uri := strings.Contains(c.Actor, "&") || strings.Contains(c.SpillDir, "&")
	if uri = uri || schemeOf(c.Path) != "" || strings.Contains(c.Path, "?"); uri {
		escape = strings.NewReplacer("%", "%25", "&", "%26").Replace
	}
	switch {
	case plainMemory && uri:
		b.WriteString("eventfold:" + memoryPath)
	case plainMemory:
		b.WriteString(memoryPath)
	case uri:
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
		b.WriteString(k.name + "=" + escape(value))
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
