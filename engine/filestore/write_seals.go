package filestore

import (
	"runtime"
	"slices"
	"sync"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// sealShare is how many bytes of records another goroutine is worth that computes their seals.
const sealShare = 64 << 10

// seal computes the seals of the request's records. It is done here and not by the writer so that
// those who append pay for it side by side.
func (r *request) seal() { r.seals = appendSeals(r.seals[:0], r.records, len(r.events)) }

// appendSeals appends the seals of the first n records in b, which check. Those of many bytes are
// computed in several goroutines.
func appendSeals(dst []format.Seal, b []byte, n int) []format.Seal {
	dst = slices.Grow(dst, n)[:len(dst)+n]
	seals := dst[len(dst)-n:]
	if shares := min(len(b)/sealShare, runtime.GOMAXPROCS(0)); shares > 1 {
		sealShares(b, seals, shares)
	} else {
		sealRecords(b, seals)
	}
	return dst
}

// sealShares computes the seals of the records in b in as many goroutines as there are shares, this
// one included.
func sealShares(b []byte, seals []format.Seal, shares int) {
	var others sync.WaitGroup // which end by themselves
	for ; shares > 1; shares-- {
		records, n := firstRecords(b, len(b)/shares, len(seals))
		share := seals[:n]
		others.Go(func() { sealRecords(records, share) })
		b, seals = b[len(records):], seals[n:]
	}
	sealRecords(b, seals)
	others.Wait()
}

// firstRecords returns the first records of b that have so many bytes together, or a few more, and
// how many those are. There are most records in b.
func firstRecords(b []byte, size, most int) (records []byte, n int) {
	at := 0
	for at < size && n < most {
		at += format.RecordSize(b[at:])
		n++
	}
	return b[:at], n
}

// sealRecords computes the seals of the records in b.
func sealRecords(b []byte, seals []format.Seal) {
	var rec format.Record
	for i := range seals {
		if rec.Decode(b) != nil {
			return
		}
		seals[i] = rec.Seal()
		b = b[rec.Size:]
	}
}
