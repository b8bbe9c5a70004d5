package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/google/uuid"
)

// An event is what every store is given: an order's JSON payload of 256 bytes and 64 bytes of
// metadata.
type event struct {
	position int64 // set by readers
	stream   string
	version  int64
	typ      string
	payload  []byte
	metadata []byte
	id       uuid.UUID // made by the client, in the workloads with such ids, and not read back
	at       int64     // microseconds since 1970; 0 lets the store say when
}

// time is when the event is to have happened, in microseconds.
func (e *event) time() int64 {
	if e.at != 0 {
		return e.at
	}
	return time.Now().UnixMicro()
}

const (
	payloadSize  = 256
	metadataSize = 64
	eventTypes   = 12
)

// typeNames are interned, as a program would have them.
var typeNames = func() (names [eventTypes]string) {
	for i := range names {
		names[i] = fmt.Sprintf("OrderEvent%02d", i)
	}
	return names
}()

// A maker makes events, the same ones for the same seed.
type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 7))} }

func (m maker) stream() string { return m.id().String() }

// id makes a random UUID, of version 4, as clients do.
func (m maker) id() uuid.UUID {
	var id uuid.UUID
	binary.LittleEndian.PutUint64(id[:8], m.Uint64())
	binary.LittleEndian.PutUint64(id[8:], m.Uint64())
	id[6], id[8] = id[6]&0x0F|0x40, id[8]&0x3F|0x80
	return id
}

func (m maker) event(stream string, version int64) event {
	payload := fmt.Appendf(make([]byte, 0, payloadSize),
		`{"order":%d,"customer":"c-%06d","amount":%d,"currency":"EUR",`+
			`"lines":[{"sku":"A-%04d","n":%d},{"sku":"B-%04d","n":%d}],"note":"`,
		m.IntN(1e9), m.IntN(1e6), m.IntN(100000), m.IntN(1e4), m.IntN(9), m.IntN(1e4), m.IntN(9))
	payload = m.fill(payload, payloadSize-2, 'a', 26)
	payload = append(payload, '"', '}')
	metadata := fmt.Appendf(make([]byte, 0, metadataSize), `{"user":"u-%05d","trace":"`, m.IntN(1e5))
	metadata = m.fill(metadata, metadataSize-2, '0', 10)
	metadata = append(metadata, '"', '}')
	return event{
		stream:   stream,
		version:  version,
		typ:      typeNames[m.IntN(eventTypes)],
		payload:  payload,
		metadata: metadata,
	}
}

// fill appends random ones of the kinds of letters that begin with first, up to the size.
func (m maker) fill(dst []byte, size int, first byte, kinds uint64) []byte {
	var left uint64
	for len(dst) < size {
		if left < kinds {
			left = m.Uint64()
		}
		dst = append(dst, first+byte(left%kinds))
		left /= kinds
	}
	return dst
}

// hasID marks, in the length of the type, an event whose id the client has made.
const hasID = 0x80

// encode is how the key-value stores and logs among the peers hold an event.
func (e *event) encode(dst []byte) []byte {
	mark := byte(0)
	if e.id != uuid.Nil {
		mark = hasID
	}
	dst = append(dst, byte(len(e.stream)), byte(len(e.typ))|mark)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.version))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.time()))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.metadata)))
	if mark != 0 {
		dst = append(dst, e.id[:]...)
	}
	dst = append(dst, e.stream...)
	dst = append(dst, e.typ...)
	dst = append(dst, e.metadata...)
	return append(dst, e.payload...)
}

var errShort = errors.New("a stored event is too short")

const encodedHead = 22 // bytes before the id

// decode reads what encode wrote. The event shares memory with b, its strings too, as eventfold's
// events do: whoever keeps it copies it.
func (e *event) decode(b []byte) error {
	if len(b) < encodedHead {
		return errShort
	}
	stream, typ, metadata := int(b[0]), int(b[1]&^hasID), int(binary.LittleEndian.Uint32(b[18:]))
	e.version, e.at = int64(binary.LittleEndian.Uint64(b[2:])), int64(binary.LittleEndian.Uint64(b[10:]))
	head := encodedHead
	if b[1]&hasID != 0 {
		head += len(e.id)
	}
	if len(b) < head+stream+typ+metadata {
		return errShort
	}
	b = b[head:]
	e.stream, b = shared(b[:stream]), b[stream:]
	e.typ, b = shared(b[:typ]), b[typ:]
	e.metadata, e.payload = b[:metadata], b[metadata:]
	return nil
}

// shared returns b as a string that shares its memory.
func shared(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
