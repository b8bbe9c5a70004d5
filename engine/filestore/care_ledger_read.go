package filestore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A LedgerError reports that a ledger cannot be used. Nothing was changed.
type LedgerError struct {
	Line   int64 // from 1
	Reason string
}

// Error implements error.
func (e *LedgerError) Error() string {
	return fmt.Sprintf("eventfold: line %d of the ledger %s", e.Line, e.Reason)
}

// A ledger is what a ledger's text says.
type ledger struct {
	store    uuid.UUID
	head     engine.Head
	erasures int
	events   engine.Spans
	seals    []byte // of the events, one behind the other
}

// readLedger reads a ledger whole, and checks it before anything is done with it. An error is a
// *LedgerError or one of reading.
func readLedger(r io.Reader) (*ledger, error) {
	p := &ledgerReader{in: bufio.NewReaderSize(r, ledgerLineSize), sum: sha256.New()}
	for {
		b, err := p.next()
		if err != nil {
			return nil, err
		}
		if p.line == 1 {
			if err := p.begin(b); err != nil {
				return nil, err
			}
			continue
		}
		over, err := p.take(b)
		if err != nil {
			return nil, err
		}
		if over {
			return &p.ledger, p.nothingFollows()
		}
	}
}

// A ledgerReader reads a ledger.
type ledgerReader struct {
	in     *bufio.Reader
	sum    hash.Hash // of the lines before this one
	before []byte    // this line's bytes, for sum, when the next one is read
	line   int64     // this one's number
	ledger ledger
}

// fault returns the error for this line.
func (p *ledgerReader) fault(format string, args ...any) error {
	return &LedgerError{p.line, fmt.Sprintf(format, args...)}
}

// next returns the next line, which lives until the call after it.
func (p *ledgerReader) next() ([]byte, error) {
	p.sum.Write(p.before)
	p.line++
	b, err := p.in.ReadSlice('\n')
	p.before = b
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, p.fault("is longer than the %d bytes that a line may have", ledgerLineSize)
	case errors.Is(err, io.EOF) && len(b) == 0 && p.line == 1:
		return nil, p.fault("is missing: this is no ledger")
	case errors.Is(err, io.EOF) && len(b) == 0:
		return nil, p.fault("is missing: the ledger was cut")
	case err != nil && !errors.Is(err, io.EOF):
		return nil, wrap("read the ledger", err)
	}
	return b, nil
}

// begin reads the first line.
func (p *ledgerReader) begin(b []byte) error {
	var h ledgerHead
	if decodeLine(b, &h) != nil || h.Ledger == nil {
		var other struct{ Ledger *int } // of a later version
		if json.Unmarshal(b, &other) == nil && other.Ledger != nil && *other.Ledger != ledgerVersion {
			return p.fault("has version %d, this version of eventfold knows %d", *other.Ledger, ledgerVersion)
		}
		return p.fault("does not begin a ledger")
	}
	if *h.Ledger != ledgerVersion {
		return p.fault("has version %d, this version of eventfold knows %d", *h.Ledger, ledgerVersion)
	}
	chain, err := hex.DecodeString(h.Head.Chain)
	if err != nil || len(chain) != len(p.ledger.head.Chain) || h.Head.Position < 0 {
		return p.fault("has no head with a position and a chain value")
	}
	p.ledger.store = h.Store
	p.ledger.head = engine.Head{Position: h.Head.Position, Chain: [32]byte(chain)}
	return nil
}

// take reads another line. over tells that it was the last one.
func (p *ledgerReader) take(b []byte) (over bool, err error) {
	var seals ledgerSeals
	var erasure ledgerErasure
	var end ledgerEnd
	switch {
	case decodeLine(b, &seals) == nil && len(seals.Seals) > 0:
		return false, p.addSeals(&seals)
	case decodeLine(b, &erasure) == nil && erasure.Erasure != uuid.Nil:
		p.ledger.erasures++
		return false, nil
	case decodeLine(b, &end) == nil && end.SHA256 != "":
		return true, p.check(&end)
	}
	if !bytes.HasSuffix(b, []byte{'\n'}) {
		return false, p.fault("has no end: the ledger was cut")
	}
	return false, p.fault("is none that a ledger has")
}

// addSeals takes the seals of a run of events.
func (p *ledgerReader) addSeals(s *ledgerSeals) error {
	l := &p.ledger
	n := engine.Position(len(s.Seals) / format.SealSize)
	events := engine.Span{From: s.From, To: s.From + n}
	switch {
	case len(s.Seals)%format.SealSize != 0:
		return p.fault("has a part of a seal")
	case s.From < 0 || events.To < s.From || events.To > l.head.Position:
		return p.fault("names events that the store did not have")
	case len(l.events) > 0 && s.From < l.events[len(l.events)-1].To:
		return p.fault("names events that are named before it")
	}
	l.events.Add(events)
	l.seals = append(l.seals, s.Seals...)
	return nil
}

// check compares the last line with those before it.
func (p *ledgerReader) check(end *ledgerEnd) error {
	n := int64(len(p.ledger.seals) / format.SealSize)
	if end.Lines != p.line-1 || end.Events != n || end.SHA256 != hex.EncodeToString(p.sum.Sum(nil)) {
		return p.fault("does not fit what stands before it: the ledger was changed")
	}
	return nil
}

// nothingFollows checks that the ledger ends with its last line.
func (p *ledgerReader) nothingFollows() error {
	p.line++
	if _, err := p.in.ReadByte(); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return wrap("read the ledger", err)
	}
	return p.fault("stands behind the last one")
}

// decodeLine decodes a line that has the keys of v and no others.
func decodeLine(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}
