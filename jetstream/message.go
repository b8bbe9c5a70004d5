package jetstream

import (
	"fmt"
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
)

// maxEvents is how many events one append may have: the servers take no larger batch.
const maxEvents = 1000

// message returns the message of an event that gets a version, as part i, from 0, of n.
func (c *Config) message(stream string, e *engine.NewEvent, v engine.Version, i, n int) *nats.Msg {
	m := nats.NewMsg(c.subject(stream))
	m.Header.Set(headerID, e.ID.String())
	m.Header.Set(headerType, url.QueryEscape(e.Type))
	m.Header.Set(headerVersion, strconv.FormatInt(int64(v), 10))
	m.Header.Set(headerPart, fmt.Sprintf("%d/%d", i+1, n))
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

// A part says which event of its append an event is.
type part struct{ number, of int }

// event reads the message with a stream sequence. The time is in whole microseconds.
func (c *Config) event(m *nats.Msg, sequence uint64, at time.Time) (e engine.Event, p part, err error) {
	e.Position = engine.Position(sequence) - 1
	e.RecordedAt = at.UTC().Truncate(time.Microsecond)
	if e.Stream, err = c.streamOf(m.Subject); err != nil {
		return e, p, err
	}
	h := m.Header
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
	if p, err = partOf(h.Get(headerPart)); err != nil {
		return e, p, err
	}
	e.Payload, e.Metadata, err = contentOf(m)
	return e, p, err
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

func partOf(header string) (p part, err error) {
	number, of, _ := strings.Cut(header, "/")
	if p.number, err = strconv.Atoi(number); err == nil {
		p.of, err = strconv.Atoi(of)
	}
	if err != nil || p.number < 1 || p.number > p.of || p.of > maxEvents {
		return p, fmt.Errorf("header %s is %q", headerPart, header)
	}
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
