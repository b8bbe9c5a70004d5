package query

import "unsafe"

// The fast ways of GROUP BY: a group of a type is found without hashing its text, and a scan of
// which nothing is kept reads into the same memory again and again. BenchmarkQuery/countPerTypeScan
// and BenchmarkQuery/sumPerType hold them.

// A knownText is a text that was looked up before. The texts of equal types share their bytes, so
// that it is found again without hashing; the text itself keeps the bytes from being used for
// another one.
type knownText struct {
	text  string
	group *group
}

// recentTexts is how many texts a groupTable finds again in that way. Texts of other columns are
// not found in it: they would keep alive what they are a part of, and others may have the same
// bytes in memory.
const recentTexts = 64

// known returns where a type that was looked up before is remembered.
func (t *groupTable) known(text string) *knownText {
	if t.recent == nil {
		t.recent = new([recentTexts]knownText)
	}
	return &t.recent[uintptr(unsafe.Pointer(unsafe.StringData(text)))>>4%recentTexts]
}

// is reports whether the text is remembered here.
func (k *knownText) is(text string) bool {
	return k.group != nil && len(k.text) == len(text) &&
		unsafe.StringData(k.text) == unsafe.StringData(text)
}

// open starts FROM.
func (g *groupedRows) open() (rows, error) {
	scan, ok := g.plan.from.(*tableScan)
	if !ok || !g.plan.fleeting {
		return g.plan.from.open(g.ex, g.outer)
	}
	what, err := scan.narrowNow(g.ex, g.outer)
	if err != nil {
		return nil, err
	}
	if what.empty {
		return noRows{}, nil
	}
	return scan.openBounds(g.ex,
		scanBounds{Filter: what.filter(scan.backwards), fleeting: true, seen: what.seen})
}
