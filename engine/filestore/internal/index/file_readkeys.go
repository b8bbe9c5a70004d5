package index

import (
	"bytes"
	"encoding/binary"
	"math"
	"sort"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A fenceTable tells which leaf of a dictionary may hold a key.
type fenceTable struct {
	raw    []byte // the section
	leaves uint32
}

// fence returns the least key that leaf i may hold.
func (t *fenceTable) fence(i uint32) []byte {
	ends, text := t.raw[8+4*i:], t.raw[8+4*(t.leaves+1):]
	return text[binary.LittleEndian.Uint32(ends):binary.LittleEndian.Uint32(ends[4:])]
}

// leaf returns the last leaf whose fence is not beyond the key, and false if the first leaf's is.
func (t *fenceTable) leaf(key []byte) (uint32, bool) {
	i := sort.Search(int(t.leaves), func(i int) bool { return bytes.Compare(t.fence(uint32(i)), key) > 0 })
	return uint32(max(i-1, 0)), i > 0
}

// parseFences checks what fence relies on. leaves is the number of leaves that the file has.
func parseFences(raw []byte, leaves uint64) (*fenceTable, bool) {
	if uint64(len(raw)) < 8+4*(leaves+1) || uint64(binary.LittleEndian.Uint32(raw)) != leaves {
		return nil, false
	}
	t := &fenceTable{raw: raw, leaves: uint32(leaves)}
	last, size := uint32(0), uint32(len(raw)-8-4*(int(leaves)+1))
	for i := range t.leaves + 1 {
		end := binary.LittleEndian.Uint32(raw[8+4*i:])
		if end < last || end > size {
			return nil, false
		}
		last = end
	}
	return t, true
}

// fenceTable returns the fences of a dictionary, reading them at first use.
func (r *blockReader) fenceTable(d Dictionary) (*fenceTable, error) {
	x := r.x
	if t := x.fences[d].Load(); t != nil {
		return t, nil
	}
	x.loading.Lock()
	defer x.loading.Unlock()
	if t := x.fences[d].Load(); t != nil {
		return t, nil
	}
	raw, err := r.All(KeysSection(d, KeysFences))
	if err != nil {
		return nil, err
	}
	t, ok := parseFences(raw, x.Sections[KeysSection(d, KeysLeaves)].Size/BlockPayload)
	if !ok {
		return nil, r.garbled()
	}
	x.fences[d].Store(t)
	return t, nil
}

// A leafCursor goes through the entries of a leaf.
type leafCursor struct {
	body     []byte // the entries
	restarts []byte
	streams  bool
	at       int // in body, of the next entry
	left     int // entries from at on
	key      []byte
	entry    leafEntry // with key, after next
}

// A leafEntry is a decoded entry without its key.
type leafEntry struct {
	count, first, last uint32
	firstVersion       engine.Version
	postings           uint64 // address of the list, if count > 1
}

// open begins with the first entry of a leaf. It returns false if the leaf makes no sense.
func (c *leafCursor) open(leaf []byte) bool {
	end := len(leaf) - 4
	restarts, entries := int(binary.LittleEndian.Uint16(leaf[end:])), int(binary.LittleEndian.Uint16(leaf[end+2:]))
	if restarts != (entries+leafRestart-1)/leafRestart || entries == 0 || 2*restarts > end {
		return false
	}
	c.body, c.restarts = leaf[:end-2*restarts], leaf[end-2*restarts:end]
	c.at, c.left, c.key = 0, entries, c.key[:0]
	return true
}

// seek goes to the last restart whose key is not beyond key, or to the first.
func (c *leafCursor) seek(key []byte) bool {
	ok := true
	entries := c.left
	i := sort.Search(len(c.restarts)/2, func(i int) bool {
		c.restart(i, entries)
		if !c.next() {
			ok = false
			return true
		}
		return bytes.Compare(c.key, key) > 0
	})
	c.restart(max(i-1, 0), entries)
	return ok
}

func (c *leafCursor) restart(i, entries int) {
	c.at, c.left, c.key = int(binary.LittleEndian.Uint16(c.restarts[2*i:])), entries-i*leafRestart, c.key[:0]
}

// next decodes the next entry. It returns false if that makes no sense; the caller has seen that
// left > 0.
func (c *leafCursor) next() bool {
	if c.at > len(c.body)-2 {
		return false
	}
	shared, rest := int(c.body[c.at]), int(c.body[c.at+1])
	b := c.body[c.at+2:]
	if shared > len(c.key) || rest > len(b) || shared+rest > math.MaxUint8 {
		return false
	}
	c.key = append(c.key[:shared], b[:rest]...)
	b, ok := c.numbers(b[rest:])
	c.at, c.left = len(c.body)-len(b), c.left-1
	return ok
}

// numbers decodes what follows the key and returns what follows that.
func (c *leafCursor) numbers(b []byte) ([]byte, bool) {
	var count, first, version, span, postings uint64
	ok := takeUvarint(&b, &count) && takeUvarint(&b, &first) && (!c.streams || takeUvarint(&b, &version))
	if ok && count > 1 {
		ok = takeUvarint(&b, &span) && takeUvarint(&b, &postings)
	}
	counted := count > 0 && count <= math.MaxUint32
	placed := first <= math.MaxUint32 && span <= math.MaxUint32-first && span >= count-1
	if !ok || !counted || !placed || version > math.MaxInt64 {
		return b, false
	}
	c.entry = leafEntry{uint32(count), uint32(first), uint32(first + span), engine.Version(version), postings}
	return b, true
}

// takeUvarint decodes a number and goes behind it.
func takeUvarint(b *[]byte, v *uint64) bool {
	n := 0
	*v, n = binary.Uvarint(*b)
	if n <= 0 {
		return false
	}
	*b = (*b)[n:]
	return true
}

// openLeaf reads a leaf. The cursor is good until r is used again.
func (r *blockReader) openLeaf(c *leafCursor, d Dictionary, leaf uint32) error {
	b, err := r.from(KeysSection(d, KeysLeaves), uint64(leaf)*BlockPayload)
	if err != nil {
		return err
	}
	c.streams = d == ByStream
	if len(b) != BlockPayload || !c.open(b) {
		return r.garbled()
	}
	return nil
}

// find looks a key up.
func (r *blockReader) find(d Dictionary, key []byte) (_ leafEntry, found bool, err error) {
	if has, err := r.mayHave(d, format.HashKey(r.x.seed, key)); !has || err != nil {
		return leafEntry{}, false, err
	}
	t, err := r.fenceTable(d)
	if err != nil {
		return leafEntry{}, false, err
	}
	leaf, ok := t.leaf(key)
	if !ok {
		return leafEntry{}, false, nil
	}
	c := leafCursor{key: r.key[:0]}
	if err := r.openLeaf(&c, d, leaf); err != nil {
		return leafEntry{}, false, err
	}
	if !c.seek(key) {
		return leafEntry{}, false, r.garbled()
	}
	for c.left > 0 {
		if !c.next() || c.entry.last >= r.x.Count() {
			return leafEntry{}, false, r.garbled()
		}
		if order := bytes.Compare(c.key, key); order >= 0 {
			return c.entry, order == 0, nil
		}
	}
	return leafEntry{}, false, nil
}

// A postingScan goes through the ordinals of a key from its second on.
type postingScan struct {
	r       *blockReader
	section int
	at      uint64 // address of the next difference
	left    uint32 // differences from there on
	ord     uint32 // the ordinal before it
	buffer  []byte // content from at on, as far as it is at hand
}

// scan begins at, or some way before, the first ordinal of the key that is not less than lo.
func (r *blockReader) scan(d Dictionary, e *leafEntry, lo uint32) (s postingScan, err error) {
	s = postingScan{r: r, section: KeysSection(d, KeysPostings), left: e.count - 1, ord: e.first}
	skips := uint32(0)
	if s.left > postingSkip {
		skips = s.left / postingSkip
	}
	var failed error
	skip := func(i int) (ord, at uint32) {
		b, err := r.bytes(s.section, e.postings+uint64(i)*postingSkipEntry, postingSkipEntry)
		if err != nil {
			failed = err
			return math.MaxUint32, 0
		}
		return binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	}
	s.at = e.postings + uint64(skips)*postingSkipEntry
	i := sort.Search(int(skips), func(i int) bool { ord, _ := skip(i); return ord >= lo })
	if i > 0 {
		ord, at := skip(i - 1)
		s.ord, s.at, s.left = ord, s.at+uint64(at), s.left-uint32(i)*postingSkip
	}
	return s, failed
}

// next goes to the next ordinal. The caller has seen that left > 0.
func (s *postingScan) next() error {
	if len(s.buffer) > 0 && s.buffer[0] < 0x80 { // most differences are one byte
		return s.advance(uint64(s.buffer[0]), 1)
	}
	delta, n := binary.Uvarint(s.buffer)
	if n == 0 {
		if err := s.fill(); err != nil {
			return err
		}
		delta, n = binary.Uvarint(s.buffer)
	}
	if n <= 0 {
		return s.r.garbled()
	}
	return s.advance(delta, n)
}

func (s *postingScan) advance(delta uint64, n int) error {
	if delta == 0 || delta >= uint64(s.r.x.Count()-s.ord) {
		return s.r.garbled()
	}
	s.ord += uint32(delta)
	s.at += uint64(n)
	s.left--
	s.buffer = s.buffer[n:]
	return nil
}

// appendTo appends the ordinals in [lo, hi) from the next on.
func (s *postingScan) appendTo(dst []uint32, lo, hi uint32) ([]uint32, error) {
	for s.left > 0 {
		dst = s.appendShort(dst, lo, hi)
		if s.left == 0 {
			break
		}
		if err := s.next(); err != nil {
			return dst, err
		}
		if s.ord >= hi {
			break
		}
		if s.ord >= lo {
			dst = append(dst, s.ord)
		}
	}
	return dst, nil
}

// appendShort does the work of appendTo as far as differences of one byte are at hand and the
// ordinals below hi.
func (s *postingScan) appendShort(dst []uint32, lo, hi uint32) []uint32 {
	hi = min(hi, s.r.x.Count()) // so that no ordinal needs another check
	ord, n := s.ord, 0
	for _, delta := range s.buffer[:min(len(s.buffer), int(s.left))] {
		next := ord + uint32(delta)
		if delta >= 0x80 || delta == 0 || next >= hi {
			break
		}
		ord = next
		if ord >= lo {
			dst = append(dst, ord)
		}
		n++
	}
	s.ord, s.at, s.left, s.buffer = ord, s.at+uint64(n), s.left-uint32(n), s.buffer[n:]
	return dst
}

// fill gets content that has the next difference whole.
func (s *postingScan) fill() (err error) {
	size := s.r.x.Sections[s.section].Size
	if s.at >= size {
		return s.r.garbled()
	}
	if s.buffer, err = s.r.from(s.section, s.at); err != nil || len(s.buffer) >= binary.MaxVarintLen32 {
		return err
	}
	s.buffer, err = s.r.bytes(s.section, s.at, int(min(binary.MaxVarintLen32, size-s.at)))
	return err
}

// below returns what a key has below limit, which is more than its first ordinal.
func (r *blockReader) below(d Dictionary, e leafEntry, limit uint32) (leafEntry, error) {
	if e.last < limit {
		return e, nil
	}
	s, err := r.scan(d, &e, limit)
	if err != nil {
		return e, err
	}
	for last := s.ord; ; last = s.ord {
		rest := s.left
		if rest > 0 {
			err = s.next()
		}
		if err != nil {
			return e, err
		}
		if rest == 0 || s.ord >= limit {
			e.count, e.last = e.count-rest, last
			return e, nil
		}
	}
}

func (e *leafEntry) named(key string) Entry {
	return Entry{Key: key, Count: e.count, First: e.first, Last: e.last, FirstVersion: e.firstVersion}
}

// Lookup implements Index.
func (x *File) Lookup(d Dictionary, key string, limit uint32) (Entry, bool, error) {
	r := x.Reader()
	defer r.Done()
	e, found, err := r.find(d, format.BytesOf(key))
	if err != nil || !found || e.first >= limit {
		return Entry{}, false, err
	}
	e, err = r.below(d, e, limit)
	return e.named(key), err == nil, err
}

// Postings implements Index.
func (x *File) Postings(d Dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error) {
	r := x.Reader()
	defer r.Done()
	e, found, err := r.find(d, format.BytesOf(key))
	if err != nil || !found || e.last < lo || e.first >= hi {
		return dst, err
	}
	if e.first >= lo {
		dst = append(dst, e.first)
	}
	if e.count == 1 {
		return dst, nil
	}
	s, err := r.scan(d, &e, lo)
	if err != nil {
		return dst, err
	}
	if s.ord >= lo && s.ord != e.first {
		return dst, r.garbled()
	}
	return s.appendTo(dst, lo, hi)
}

// Keys implements Index.
func (x *File) Keys(d Dictionary, prefix string, limit uint32, yield func(Entry) bool) error {
	lists := x.Reader()
	defer lists.Done()
	w, err := x.walk(d, format.BytesOf(prefix))
	if err != nil {
		return err
	}
	defer w.done()
	for {
		ok, err := w.next()
		if err != nil || !ok || !bytes.HasPrefix(w.key, format.BytesOf(prefix)) {
			return err
		}
		if w.entry.first >= limit {
			continue
		}
		e, err := lists.below(d, w.entry, limit)
		if err != nil {
			return err
		}
		if !yield(e.named(string(w.key))) {
			return nil
		}
	}
}

// A keyWalk goes through a dictionary in the order of its keys. done must be called.
type keyWalk struct {
	leafCursor
	d      Dictionary
	r      *blockReader
	leaf   uint32 // the next
	leaves uint32
	from   []byte // keys before it are left out
}

// walk begins with the first key that is not before from.
func (x *File) walk(d Dictionary, from []byte) (*keyWalk, error) {
	r := x.Reader()
	t, err := r.fenceTable(d)
	if err != nil {
		r.Done()
		return nil, err
	}
	w := &keyWalk{leafCursor: leafCursor{key: r.key[:0]}, d: d, r: r, leaves: t.leaves, from: from}
	w.leaf, _ = t.leaf(from)
	return w, nil
}

func (w *keyWalk) done() { w.r.Done() }

// next goes to the next key. It reports false if there is none.
func (w *keyWalk) next() (bool, error) {
	for {
		for w.left == 0 {
			if w.leaf == w.leaves {
				return false, nil
			}
			if err := w.r.openLeaf(&w.leafCursor, w.d, w.leaf); err != nil {
				return false, err
			}
			w.leaf++
			if len(w.from) > 0 && !w.seek(w.from) {
				return false, w.r.garbled()
			}
		}
		if !w.leafCursor.next() || w.entry.last >= w.r.x.Count() {
			return false, w.r.garbled()
		}
		if bytes.Compare(w.key, w.from) >= 0 {
			w.from = nil
			return true, nil
		}
	}
}
