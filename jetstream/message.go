package jetstream

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/eventfold/eventfold/engine"
)

// The headers of an event's message. Its body is the payload and, behind it, the metadata.
const (
	headerID       = "Ef-Id"
	headerType     = "Ef-Type"     // escaped as in the query of a URL
	headerTags     = "Ef-Tags"     // escaped likewise, with commas between; missing for none
	headerVersion  = "Ef-Version"  // from 0
	headerPart     = "Ef-Part"     // i/n: the i-th of the n events of its append, from 1
	headerMetadata = "Ef-Metadata" // the size of the metadata in bytes; missing for {}
	headerNull     = "Ef-Null"     // 1 if the payload is NULL
	headerSalt     = "Ef-Salt"     // of the first event of an append: 32 random bytes in base64
	headerTime     = "Ef-Time"     // of an event that was copied: microseconds since 1970; it is not the message's
	headerErased   = "Ef-Erased"   // 1 for an event that was copied without its content, which had been erased
	headerSum      = "Ef-Sum"      // crc32c of all of it, in hexadecimal
)

// summed are the headers that a message's checksum goes over.
var summed = [...]string{headerID, headerType, headerTags, headerVersion, headerPart, headerMetadata, headerNull,
	headerSalt, headerTime, headerErased}

// maxEvents is how many events one append may have: the servers take no larger batch.
const maxEvents = 1000

// A part says which event of its append an event is, and what the nodes make of the append.
type part struct {
	number, of int      // from 1
	salt       [32]byte // of number 1: whatever a node writes that is random is made of it
}

// newSalt makes the salt of an append. It is as secret as the events are.
func newSalt() (salt [32]byte) {
	_, _ = rand.Read(salt[:]) // it never fails
	return salt
}

// message returns the message of an event that gets a version, with a checksum of all of it.
func (c *Config) message(stream string, e *engine.NewEvent, v engine.Version, p part) *nats.Msg {
	m := c.unsealed(stream, e, v, p)
	seal(m)
	return m
}

// unsealed returns it without the checksum.
func (c *Config) unsealed(stream string, e *engine.NewEvent, v engine.Version, p part) *nats.Msg {
	m := nats.NewMsg(c.subject(stream))
	m.Header.Set(headerID, e.ID.String())
	m.Header.Set(headerType, url.QueryEscape(e.Type))
	m.Header.Set(headerVersion, strconv.FormatInt(int64(v), 10))
	m.Header.Set(headerPart, fmt.Sprintf("%d/%d", p.number, p.of))
	if p.number == 1 {
		m.Header.Set(headerSalt, base64.RawStdEncoding.EncodeToString(p.salt[:]))
	}
	if len(e.Tags) > 0 {
		tags := make([]string, len(e.Tags))
		for k, t := range e.Tags {
			tags[k] = url.QueryEscape(t)
		}
		m.Header.Set(headerTags, strings.Join(tags, ","))
	}
	if e.Payload == nil {
		m.Header.Set(headerNull, "1")
	}
	m.Data = e.Payload
	if len(e.Metadata) > 0 {
		m.Header.Set(headerMetadata, strconv.Itoa(len(e.Metadata)))
		m.Data = append(append(make([]byte, 0, len(e.Payload)+len(e.Metadata)), e.Payload...), e.Metadata...)
	}
	return m
}

// seal gives a message its checksum.
func seal(m *nats.Msg) { m.Header.Set(headerSum, sum(m)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of a message: of its subject and headers, with a line end behind each, and
// its body. What the servers and the networks between have made of it does not matter then.
func sum(m *nats.Msg) string {
	crc := crc32.Update(0, castagnoli, []byte(m.Subject+"\n"))
	for _, name := range summed {
		crc = crc32.Update(crc, castagnoli, []byte(m.Header.Get(name)+"\n"))
	}
	return fmt.Sprintf("%08x", crc32.Update(crc, castagnoli, m.Data))
}

// event reads the message with a stream sequence. The time is in whole microseconds.
func (c *Config) event(m *nats.Msg, sequence uint64, at time.Time) (e engine.Event, p part, err error) {
	e.Position = engine.Position(sequence) - 1
	if e.Stream, err = c.streamOf(m.Subject); err != nil {
		return e, p, err
	}
	h := m.Header
	if have, want := h.Get(headerSum), sum(m); have != want {
		return e, p, fmt.Errorf("header %s is %q, and what came has the checksum %s", headerSum, have, want)
	}
	if e.RecordedAt, err = timeOf(h.Get(headerTime), at); err != nil {
		return e, p, err
	}
	if e.ID, err = uuid.Parse(h.Get(headerID)); err != nil {
		return e, p, fmt.Errorf("header %s: %w", headerID, err)
	}
	if e.Type, err = url.QueryUnescape(h.Get(headerType)); err != nil {
		return e, p, fmt.Errorf("header %s: %w", headerType, err)
	}
	version, err := strconv.ParseInt(h.Get(headerVersion), 10, 64)
	if err != nil {
		return e, p, fmt.Errorf("header %s: %w", headerVersion, err)
	}
	e.Version = engine.Version(version)
	if e.Tags, err = tagsOf(h.Get(headerTags)); err != nil {
		return e, p, err
	}
	if p, err = partOf(h); err != nil {
		return e, p, err
	}
	e.Redacted = h.Get(headerErased) == "1"
	e.Payload, e.Metadata, err = contentOf(m)
	return e, p, err
}

// timeOf is the time of an event: that of its message unless the header says otherwise.
func timeOf(header string, at time.Time) (time.Time, error) {
	if header == "" {
		return at.UTC().Truncate(time.Microsecond), nil
	}
	micros, err := strconv.ParseInt(header, 10, 64)
	if err != nil {
		return at, fmt.Errorf("header %s: %w", headerTime, err)
	}
	return time.UnixMicro(micros).UTC(), nil
}

func tagsOf(header string) (tags []string, err error) {
	if header == "" {
		return nil, nil
	}
	for t := range strings.SplitSeq(header, ",") {
		tag, err := url.QueryUnescape(t)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", headerTags, err)
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

func partOf(h nats.Header) (p part, err error) {
	header := h.Get(headerPart)
	number, of, _ := strings.Cut(header, "/")
	if p.number, err = strconv.Atoi(number); err == nil {
		p.of, err = strconv.Atoi(of)
	}
	if err != nil || p.number < 1 || p.number > p.of || p.of > maxEvents {
		return p, fmt.Errorf("header %s is %q", headerPart, header)
	}
	if p.number > 1 {
		return p, nil
	}
	salt, err := base64.RawStdEncoding.DecodeString(h.Get(headerSalt))
	if err != nil || len(salt) != len(p.salt) {
		return p, fmt.Errorf("header %s does not hold %d bytes", headerSalt, len(p.salt))
	}
	p.salt = [32]byte(salt)
	return p, nil
}

// contentOf divides the body.
func contentOf(m *nats.Msg) (payload, metadata []byte, err error) {
	size := 0
	if h := m.Header.Get(headerMetadata); h != "" {
		if size, err = strconv.Atoi(h); err != nil || size < 0 || size > len(m.Data) {
			return nil, nil, fmt.Errorf("header %s is %q in a message of %d bytes", headerMetadata, h, len(m.Data))
		}
	}
	n := len(m.Data) - size
	payload, metadata = m.Data[:n:n], m.Data[n:]
	if m.Header.Get(headerNull) == "1" {
		if n > 0 {
			return nil, nil, fmt.Errorf("header %s is set for a payload of %d bytes", headerNull, n)
		}
		return nil, metadata, nil
	}
	if payload == nil {
		payload = []byte{}
	}
	return payload, metadata, nil
}
