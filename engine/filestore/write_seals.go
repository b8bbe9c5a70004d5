package filestore

import (
	"runtime"
	"slices"
	"sync"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// sealShare is how many bytes of records another goroutine is worth that computes their seals.
const sealShare = 64 << 10

// seal computes the seals of the request's records, those of a large request in several goroutines.
// It is done here and not by the writer so that those who append pay for it side by side.
func (r *request) seal() {
	r.seals = slices.Grow(r.seals[:0], len(r.events))[:len(r.events)]
	if shares := min(len(r.records)/sealShare, runtime.GOMAXPROCS(0)); shares > 1 {
		sealShares(r.records, r.seals, shares)
		return
	}
	sealRecords(r.records, r.seals)
}

// sealShares computes the seals of the records in b in as many goroutines as there are shares, this
// one included.
func sealShares(b []byte, seals []format.Seal, shares int) {
	var others sync.WaitGroup // which end by themselves
	for ; shares > 1; shares-- {
		records, n := firstRecords(b, len(b)/shares)
		share := seals[:n]
		others.Go(func() { sealRecords(records, share) })
		b, seals = b[len(records):], seals[n:]
	}
	sealRecords(b, seals)
	others.Wait()
}

// firstRecords returns the first records of b that have so many bytes together, or a few more, and
// how many those are.
func firstRecords(b []byte, size int) (records []byte, n int) {
	at := 0
	for at < size {
		at += format.RecordSize(b[at:])
		n++
	}
	return b[:at], n
}

// sealRecords computes the seals of the records in b, which the request has encoded.
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
