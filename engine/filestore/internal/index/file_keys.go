package index

import (
	"encoding/binary"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A dictionary's keys are in leaves, each a block, in byte order. An entry is
//
//	shared u8, rest u8, rest bytes     the key: so many bytes of the key before it, and then these
//	count uvarint                      events
//	first uvarint                      ordinal of the first of them
//	FirstVersion uvarint               streams only
//	last-first uvarint                 if count > 1
//	postings uvarint                   if count > 1: where in the postings section its list is
//
// At the leaf's end are, u16 each: where every 16th entry begins (its key is whole), how many those
// are, how many entries there are. Fences are keys that part each leaf from the one before, so that
// reading one leaf finds a key:
//
//	leaves u32, keys u32, where each fence begins and the last ends u32, fences
//
// A list of postings tells the second and later ordinals of a key as differences, uvarint. Before a
// list of more than postingSkip of them comes, for every full postingSkip of them: the last of
// these, u32, and where behind the skips the next is, u32.
const (
	leafRestart  = 16
	maxLeafEntry = 2 + 255 + 5*binary.MaxVarintLen64

	postingSkip      = 128
	postingSkipEntry = 8
)

// A keysWriter collects a dictionary. The leaves go into the file as they become full, the rest is
// kept until finish.
type keysWriter struct {
	w        *indexWriter
	seed     uint64
	streams  bool
	leaf     []byte // entries of the unfinished leaf
	restarts []uint16
	entries  int    // of the leaf
	count    int    // of the dictionary
	last     []byte // key of the entry before
	fences   []byte
	ends     []uint32 // where each fence begins
	postings []byte
	hashes   []uint64
	ords     []uint32
}

func (w *indexWriter) newKeys(d Dictionary) *keysWriter {
	w.pad()
	w.begin(KeysSection(d, KeysLeaves))
	return &keysWriter{w: w, seed: format.IndexSeed(w.footer.Store), streams: d == ByStream}
}

// KeysSection returns the number of a section of a dictionary.
func KeysSection(d Dictionary, section int) int {
	return SectionKeys + int(d)*SectionsPerKeys + section
}

// keys writes the four sections of a dictionary.
func (w *indexWriter) keys(d Dictionary, src Source) {
	k := w.newKeys(d)
	err := src.Keys(d, "", w.footer.Count, func(e Entry) bool {
		if e.Count > 1 {
			var err error
			if k.ords, err = src.Postings(d, e.Key, e.First+1, w.footer.Count, k.ords[:0]); err != nil {
				w.fail(err)
				return false
			}
		}
		list := len(k.postings)
		if e.Count > 1 {
			k.postings = appendPostings(k.postings, e.First, k.ords)
		}
		k.add(format.BytesOf(e.Key), &e, list)
		k.hashes = append(k.hashes, format.HashKey(k.seed, format.BytesOf(e.Key)))
		return w.err == nil
	})
	if err != nil {
		w.fail(err)
	}
	k.finish(d)
	w.section(KeysSection(d, KeysPostings), k.postings)
	w.section(KeysSection(d, KeysFilter), format.NewBloom(k.hashes))
}

// finish writes the last leaf and the fences.
func (k *keysWriter) finish(d Dictionary) {
	k.endLeaf()
	k.w.end(KeysSection(d, KeysLeaves))
	k.w.section(KeysSection(d, KeysFences), k.fenceTable())
}

// add writes the entry of a key. If it has more than one event, list is where in the postings
// section the ordinals of the others are.
func (k *keysWriter) add(key []byte, e *Entry, list int) {
	if len(k.leaf)+maxLeafEntry+2*len(k.restarts)+6 > BlockPayload {
		k.endLeaf()
	}
	shared := 0
	switch {
	case k.entries == 0:
		k.ends = append(k.ends, uint32(len(k.fences)))
		k.fences = append(k.fences, key[:min(len(key), commonPrefix(k.last, key)+1)]...)
		fallthrough
	case k.entries%leafRestart == 0:
		k.restarts = append(k.restarts, uint16(len(k.leaf)))
	default:
		shared = commonPrefix(k.last, key)
	}
	k.leaf = append(k.leaf, byte(shared), byte(len(key)-shared))
	k.leaf = append(k.leaf, key[shared:]...)
	k.leaf = binary.AppendUvarint(k.leaf, uint64(e.Count))
	k.leaf = binary.AppendUvarint(k.leaf, uint64(e.First))
	if k.streams {
		k.leaf = binary.AppendUvarint(k.leaf, uint64(e.FirstVersion))
	}
	if e.Count > 1 {
		k.leaf = binary.AppendUvarint(k.leaf, uint64(e.Last-e.First))
		k.leaf = binary.AppendUvarint(k.leaf, uint64(list))
	}
	k.entries, k.count = k.entries+1, k.count+1
	k.last = append(k.last[:0], key...)
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// appendPostings appends the list of the ordinals that follow first.
func appendPostings(dst []byte, first uint32, ords []uint32) []byte {
	skips := len(ords) / postingSkip
	if len(ords) <= postingSkip {
		skips = 0
	}
	skipAt := len(dst)
	dst = append(dst, make([]byte, skips*postingSkipEntry)...)
	data := len(dst)
	for i, ord := range ords {
		dst = binary.AppendUvarint(dst, uint64(ord-first))
		first = ord
		if s := (i + 1) / postingSkip; (i+1)%postingSkip == 0 && s <= skips {
			at := skipAt + (s-1)*postingSkipEntry
			binary.LittleEndian.PutUint32(dst[at:], ord)
			binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(dst)-data))
		}
	}
	return dst
}

// endLeaf fills the leaf up to a block and writes it.
func (k *keysWriter) endLeaf() {
	if k.entries == 0 {
		return
	}
	trailer := make([]byte, 0, 2*len(k.restarts)+4)
	for _, r := range k.restarts {
		trailer = binary.LittleEndian.AppendUint16(trailer, r)
	}
	trailer = binary.LittleEndian.AppendUint16(trailer, uint16(len(k.restarts)))
	trailer = binary.LittleEndian.AppendUint16(trailer, uint16(k.entries))
	k.w.write(k.leaf)
	k.w.write(make([]byte, BlockPayload-len(k.leaf)-len(trailer)))
	k.w.write(trailer)
	k.leaf, k.restarts, k.entries = k.leaf[:0], k.restarts[:0], 0
}

func (k *keysWriter) fenceTable() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(k.ends)))
	b = binary.LittleEndian.AppendUint32(b, uint32(k.count))
	for _, end := range append(k.ends, uint32(len(k.fences))) {
		b = binary.LittleEndian.AppendUint32(b, end)
	}
	return append(b, k.fences...)
}
