package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/eventfold/eventfold"
)

// The limits are what the machine gives at best, measured in the same round as the stores.

const recordBytes = 512 // about one of our records: head, names, payload, metadata

// measureSync writes one record after another over zeros and syncs each, as a store with one client
// does.
func measureSync(dir string, d time.Duration) (perSecond float64, err error) {
	f, err := os.Create(filepath.Join(dir, "zeros"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	const size = 64 << 20
	if _, err := f.Write(make([]byte, size)); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	record := make([]byte, recordBytes)
	for i := range record {
		record[i] = byte(i)
	}
	n, start := 0, time.Now()
	for time.Since(start) < d {
		if _, err := f.WriteAt(record, int64(n)*recordBytes%size); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// pattern fills a buffer with different bytes.
func pattern(b []byte) {
	for i := range min(len(b), 4096) {
		b[i] = byte(i * 7)
	}
	for n := 4096; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// measureBytes runs work over a large buffer and returns bytes per second.
func measureBytes(d time.Duration, work func(src, dst []byte)) float64 {
	src, dst := make([]byte, 64<<20), make([]byte, 64<<20)
	pattern(src)
	n, start := 0, time.Now()
	for time.Since(start) < d {
		work(src, dst)
		n++
	}
	return float64(n) * float64(len(src)) / time.Since(start).Seconds()
}

// measureChecksums returns the bytes per second of which all processors together make SHA-256 and
// CRC32C, in memory.
func measureChecksums(d time.Duration) float64 {
	buffer := make([]byte, 1<<20)
	pattern(buffer)
	var total, sums atomic.Int64 // sums keeps the compiler from dropping what is measured
	var group sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() { // ends when the time is over
			for time.Since(start) < d {
				sum := sha256.Sum256(buffer)
				sums.Add(int64(sum[0]) + int64(crc32Of(buffer)))
				total.Add(int64(len(buffer)))
			}
		})
	}
	group.Wait()
	return float64(total.Load()) / time.Since(start).Seconds()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

//lint:ignore U1000 it is only written
var sink uint64 // keeps the compiler from dropping what is measured

// measureRecords decodes length-prefixed records in memory: the least that any scan must do.
func measureRecords(d time.Duration, records int) float64 {
	var log []byte
	m := newMaker(1)
	for range records {
		e := m.event(m.stream(), 0)
		b := e.encode(nil)
		log = binary.LittleEndian.AppendUint32(log, uint32(len(b)))
		log = append(log, b...)
	}
	n, start := 0, time.Now()
	for time.Since(start) < d {
		for rest := log; len(rest) > 0; n++ {
			size := binary.LittleEndian.Uint32(rest)
			b := rest[4 : 4+size]
			sink += uint64(b[0]) + uint64(b[len(b)-1])
			rest = rest[4+size:]
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// measureRows scans rows of the table's width out of a driver that does nothing.
func measureRows(rows int) (perSecond float64, err error) {
	db := sql.OpenDB(idle{rows: rows})
	defer db.Close()
	start := time.Now()
	result, err := db.Query("")
	err = scanRows(result, err, func(e *event) { sink += uint64(e.position) })
	return float64(rows) / time.Since(start).Seconds(), err
}

// measureEvents scans rows of one column, which is a pointer to an event, out of a driver that does
// nothing.
func measureEvents(rows int) (perSecond float64, err error) {
	db := sql.OpenDB(idle{rows: rows, pointers: true})
	defer db.Close()
	start := time.Now()
	result, err := db.Query("")
	if err != nil {
		return 0, err
	}
	err = scanEventRows(result, func(e *eventfold.Event) { sink += uint64(e.Position) })
	return float64(rows) / time.Since(start).Seconds(), err
}

// measureShortQueries asks a prepared query with ten rows of the table's width again and again of a
// driver that does nothing.
func measureShortQueries(d time.Duration) (perSecond float64, err error) {
	db := sql.OpenDB(idle{rows: shortStream})
	defer db.Close()
	query, err := db.Prepare("")
	if err != nil {
		return 0, err
	}
	defer query.Close()
	n, start := 0, time.Now()
	for time.Since(start) < d {
		result, err := query.Query()
		if err := scanRows(result, err, func(e *event) { sink += uint64(e.position) }); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// idle is a driver whose every row is the same.
type idle struct {
	rows     int
	pointers bool // its rows are a pointer to an event
}

func (i idle) Connect(context.Context) (driver.Conn, error) { return i, nil }
func (i idle) Driver() driver.Driver                        { return nil }
func (i idle) Prepare(string) (driver.Stmt, error)          { return i, nil }
func (i idle) Begin() (driver.Tx, error)                    { return nil, errUnsupported }
func (i idle) Close() error                                 { return nil }
func (i idle) NumInput() int                                { return 0 }
func (i idle) Exec([]driver.Value) (driver.Result, error)   { return nil, errUnsupported }
func (i idle) Query([]driver.Value) (driver.Rows, error) {
	if i.pointers {
		return &idlePointers{left: i.rows, value: new(eventfold.Event)}, nil
	}
	return &idleRows{left: i.rows, event: idleEvent}, nil
}

var idleEvent = func() event {
	m := newMaker(1)
	return m.event(m.stream(), 3)
}()

type idleRows struct {
	left  int
	event event
}

func (r *idleRows) Columns() []string {
	return []string{"position", "stream", "version", "type", "payload", "metadata"}
}
func (r *idleRows) Close() error { return nil }
func (r *idleRows) Next(dest []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	dest[0], dest[1], dest[2] = int64(r.left), r.event.stream, r.event.version
	dest[3], dest[4], dest[5] = r.event.typ, r.event.payload, r.event.metadata
	return nil
}

type idlePointers struct {
	left  int
	value driver.Value
}

func (r *idlePointers) Columns() []string { return []string{"event"} }
func (r *idlePointers) Close() error      { return nil }
func (r *idlePointers) Next(dest []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	dest[0] = r.value
	return nil
}
