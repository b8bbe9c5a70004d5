package main

const (
	loadBatch   = 1000
	shortStream = 10
	longStream  = 1000
	setUnit     = 2 * longStream // the number of events of a data set is a multiple of it
)

// The data set is of the thirty days from 1 January 2026 on, in UTC, in microseconds.
const (
	dayMicros = int64(24 * 3600 * 1e6)
	setBegins = int64(1767225600 * 1e6)
	setDays   = 30
)

// setNames are the streams of a data set: long ones of 1,000 events, and short ones of ten events
// that lie either side by side or as far from each other as the log allows. Long ones are spread
// over the whole log, too.
type setNames struct{ near, apart, long []string }

// namesOf makes the names of the streams of a data set of so many events.
func namesOf(events int) setNames {
	m := newMaker(41)
	some := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = m.stream()
		}
		return list
	}
	events = wholeSet(events)
	short := events / 4 / shortStream
	return setNames{near: some(short), apart: some(short), long: some(events / 2 / longStream)}
}

// dataset yields the events of the data set in batches: half of them in long streams, a quarter in
// each kind of short ones, mixed. It is the same for every peer; ids says whether each event has an
// id that the client has made. The events of a batch have one time. A multiple of setUnit events is
// made, at least one.
func dataset(events int, ids bool, yield func(batch []event) error) error {
	events = wholeSet(events)
	m, identity, names := newMaker(42), newMaker(43), namesOf(events)
	step := setDays * dayMicros / int64(events)
	batch := make([]event, 0, loadBatch)
	for n := range events {
		stream, version := names.place(n)
		e := m.event(stream, version)
		e.at = setBegins + int64(n/loadBatch*loadBatch)*step
		if ids {
			e.id = identity.id()
		}
		if batch = append(batch, e); len(batch) == loadBatch {
			if err := yield(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

// wholeSet returns the number of events of the data set that has about so many.
func wholeSet(events int) int { return max(events/setUnit, 1) * setUnit }

// place returns the stream and the version of event n. Of four events the second is of a stream
// whose ten follow each other so, the fourth of one whose ten are spread over the whole log.
func (names *setNames) place(n int) (stream string, version int64) {
	list, k, near := names.long, n/2, false
	switch n % 4 {
	case 1:
		list, k, near = names.near, n/4, true
	case 3:
		list, k = names.apart, n/4
	}
	if near {
		return list[k/shortStream], int64(k % shortStream)
	}
	return list[k%len(list)], int64(k / len(list))
}

// A digest is what a read has seen, which must be the same with every peer. It is cheap enough to be
// made while the clock runs.
type digest struct{ events, versions, types int64 }

func (d *digest) add(e *event) {
	d.events++
	d.versions += e.version
	d.types += int64(e.typ[len(e.typ)-1])
}
