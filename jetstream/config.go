// Package jetstream keeps the log of a store in a NATS JetStream stream, which servers replicate,
// and a copy of it in a directory of every node, which answers all reads.
//
//	store, err := jetstream.Open(ctx, jetstream.Config{
//		URLs: []string{"nats://a:4222", "nats://b:4222", "nats://c:4222"},
//		Bucket: "main", Local: "/var/lib/app/events", Replicas: 3, Create: true,
//	})
//	db := eventfold.OpenDB(eventfold.Config{Store: store})
//
// With a blank import of the package sql.Open takes a data source name for the same:
//
//	nats://user:pw@a:4222,b:4222,c:4222/main?local=/var/lib/app/events&replicas=3&create=true
//
// An append goes to the stream and is acknowledged when the servers have it and the local copy
// shows it. docs/cluster.md tells what holds, what the servers must be set to, and what there is not.
package jetstream

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventfold/eventfold/engine"
)

// A Config says where the log and its local copy are.
type Config struct {
	// URLs are those of the servers, as nats.Connect takes them.
	URLs []string
	// Bucket is the name of the log: 1 to 32 letters, digits, - and _. The stream of a bucket is
	// EF_bucket, its subjects begin with ef.bucket.
	Bucket string
	// Local is the directory of this node's copy. One process at a time has it open. It may be empty
	// or missing: everything comes from the stream then.
	Local string
	// Create makes the stream if it is not there, with Replicas copies: 1, 3 or 5. 0 means 3. With one
	// copy the log is as durable as that server's disk; that is meant for tests.
	Create   bool
	Replicas int
	// MaxEventSize limits type, payload, metadata and tags of one event, in bytes. 0 means
	// engine.DefaultMaxEventSize, or what the servers' max_payload leaves room for if that is less.
	MaxEventSize int
	// OpenTimeout bounds Open if its context does not. 0 means one minute.
	OpenTimeout time.Duration
	// Options are those of nats.go: credentials files, NKeys, TLS and so on.
	Options []nats.Option
}

const (
	defaultOpenTimeout = time.Minute
	defaultReplicas    = 3
	// roomForHeaders is what a message has beside the event's payload and metadata, at most.
	roomForHeaders = 64 << 10
)

var bucketName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// checkNode refuses what can never be opened as a node.
func (c *Config) checkNode() error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Local == "" {
		return &ConfigError{"Local", "is empty; write the directory of this node's copy, local=DIR in a data source name"}
	}
	return nil
}

// check refuses servers and buckets that there cannot be.
func (c *Config) check() error {
	switch {
	case len(c.URLs) == 0:
		return &ConfigError{"URLs", "is empty; write the addresses of the servers, such as nats://127.0.0.1:4222"}
	case !bucketName.MatchString(c.Bucket):
		return &ConfigError{"Bucket", fmt.Sprintf("is %q; it is 1 to 32 letters, digits, - and _", c.Bucket)}
	case c.Replicas != 0 && c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5:
		return &ConfigError{"Replicas", fmt.Sprintf("is %d; it is 1, 3 or 5", c.Replicas)}
	case c.MaxEventSize != 0 && (c.MaxEventSize < engine.MinEventLimit || c.MaxEventSize > engine.MaxEventLimit):
		return &ConfigError{"MaxEventSize", fmt.Sprintf("is %d; it is %d to %d", c.MaxEventSize,
			engine.MinEventLimit, engine.MaxEventLimit)}
	}
	return nil
}

// stream and subjects are the names of the bucket's.
func (c *Config) stream() string   { return "EF_" + c.Bucket }
func (c *Config) subjects() string { return "ef." + c.Bucket + ".>" }

// subject is that of a stream of events: its name is one token, in which every byte but letters,
// digits, - and _ is written as = and two hexadecimal digits.
func (c *Config) subject(stream string) string {
	var b strings.Builder
	b.WriteString("ef." + c.Bucket + ".")
	for i := range len(stream) {
		if x := stream[i]; plain(x) {
			b.WriteByte(x)
		} else {
			fmt.Fprintf(&b, "=%02X", x)
		}
	}
	return b.String()
}

func plain(x byte) bool {
	return x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z' || x >= '0' && x <= '9' || x == '-' || x == '_'
}

// streamOf is the stream of events of a subject.
func (c *Config) streamOf(subject string) (string, error) {
	token, ok := strings.CutPrefix(subject, "ef."+c.Bucket+".")
	if !ok {
		return "", fmt.Errorf("the subject %q is none of the bucket's", subject)
	}
	var name []byte
	for i := 0; i < len(token); i++ {
		x := token[i]
		if x == '=' && i+2 < len(token) {
			if _, err := fmt.Sscanf(token[i+1:i+3], "%02X", &x); err != nil {
				return "", fmt.Errorf("the subject %q: %w", subject, err)
			}
			i += 2
		} else if !plain(x) {
			return "", fmt.Errorf("the subject %q is no escaped name of a stream", subject)
		}
		name = append(name, x)
	}
	if c.subject(string(name)) != subject { // there is one subject for each stream
		return "", fmt.Errorf("the subject %q is no escaped name of a stream", subject)
	}
	return string(name), nil
}
