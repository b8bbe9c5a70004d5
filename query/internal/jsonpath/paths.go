package jsonpath

import (
	"slices"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A Paths looks up several paths of a document in one pass. It is immutable.
type Paths struct {
	root  pathNode
	count int
}

// A pathNode is a place in a document that one or several paths lead to or through.
type pathNode struct {
	out     []int // the paths that end here
	members []pathMember
	keys    map[string]int // the places of many members; nil for few
	items   []pathItem     // in the order of their indexes
	fromEnd []pathItem     // counted from the end, the last element first
}

// manyMembers is how many members are found faster by hashing than by comparing each.
const manyMembers = 8

// A pathVisit is one pass over a document.
type pathVisit struct {
	meter *value.Meter // who waits for the result; nil for somebody who always does
	out   []Raw        // by path
}

// effort tells that the document was read from one place to another. It is false if the rest need
// not be read.
func (v *pathVisit) effort(from, to int) bool {
	return v.meter == nil || v.meter.Effort(max(to-from, 0)+1)
}

type pathMember struct {
	key  string
	node *pathNode
}

type pathItem struct {
	index int64
	node  *pathNode
}

// NewPaths prepares a pass for paths.
func NewPaths(paths []*Path) *Paths {
	p := &Paths{count: len(paths)}
	for i, path := range paths {
		node := &p.root
		for _, step := range path.Steps {
			node = node.child(step)
		}
		node.out = append(node.out, i)
	}
	return p
}

func (n *pathNode) child(step Step) *pathNode {
	if step.kind == stepKey {
		if m := n.find(step.key); m >= 0 {
			return n.members[m].node
		}
		return n.addMember(step.key)
	}
	list := &n.items
	if step.kind == stepFromEnd {
		list = &n.fromEnd
	}
	at, found := slices.BinarySearchFunc(*list, step.index, func(item pathItem, index int64) int {
		return value.CompareInts(item.index, index)
	})
	if !found {
		*list = slices.Insert(*list, at, pathItem{step.index, new(pathNode)})
	}
	return (*list)[at].node
}

func (n *pathNode) addMember(key string) *pathNode {
	n.members = append(n.members, pathMember{key, new(pathNode)})
	if n.keys != nil {
		n.keys[key] = len(n.members) - 1
	} else if len(n.members) > manyMembers {
		n.keys = make(map[string]int, len(n.members))
		for i := range n.members {
			n.keys[n.members[i].key] = i
		}
	}
	return n.members[len(n.members)-1].node
}

// find returns the member with a key, -1 for none.
func (n *pathNode) find(key string) int {
	if n.keys != nil {
		if m, ok := n.keys[key]; ok {
			return m
		}
		return -1
	}
	for m := range n.members {
		if n.members[m].key == key {
			return m
		}
	}
	return -1
}

// Extract puts into out, which has a place per path, what each path leads to. It recurses as deep
// as the longest path.
func (p *Paths) Extract(doc string, out []Raw) {
	p.ExtractFor(nil, doc, out)
}

// ExtractFor is extract with a meter: it may not be waited for the result any more.
func (p *Paths) ExtractFor(m *value.Meter, doc string, out []Raw) {
	clear(out[:p.count])
	v := pathVisit{m, out}
	p.root.visit(doc, SkipBlanks(doc, 0), &v, false)
}

// ExtractAll looks up paths in one pass. Who does so for many documents prepares them once, with
// NewPaths.
func ExtractAll(doc string, paths []*Path, out []Raw) {
	NewPaths(paths).Extract(doc, out)
}

// visit handles the value at i, which n stands for. If more is true it returns the end of the
// value, -1 if the document ends within it.
func (n *pathNode) visit(doc string, i int, v *pathVisit, more bool) int {
	if i < 0 || i >= len(doc) {
		return -1
	}
	end := -1
	switch {
	case doc[i] == '{' && len(n.members) > 0:
		end = n.visitObject(doc, i, v)
	case doc[i] == '[':
		n.visitArray(doc, i, v)
	}
	if end < 0 && (more || len(n.out) > 0) {
		if end = ValueEnd(doc, i); !v.effort(i, end) {
			return -1
		}
	}
	if end >= 0 {
		for _, o := range n.out {
			v.out[o] = Raw(doc[i:end])
		}
	}
	return end
}

// visitArray goes through the array at i, once for the elements that are counted from its front and
// once for the others.
func (n *pathNode) visitArray(doc string, i int, v *pathVisit) {
	walk := arrayWalk{doc: doc, at: FindElement(doc, i, 0)}
	for _, item := range n.items {
		if !walk.to(item.index, v) {
			break
		}
		item.node.visit(doc, walk.at, v, false)
	}
	if len(n.fromEnd) == 0 {
		return
	}
	count := CountElements(doc, i)
	walk = arrayWalk{doc: doc, at: FindElement(doc, i, 0)}
	for _, item := range slices.Backward(n.fromEnd) {
		if item.index <= 0 || item.index > count {
			continue
		}
		if !walk.to(count-item.index, v) {
			break
		}
		item.node.visit(doc, walk.at, v, false)
	}
}

// An arrayWalk steps through the elements of an array.
type arrayWalk struct {
	doc   string
	at    int   // where the element begins, -1 behind the last
	index int64 // of the element
}

// to goes on to an element; false if it is not there.
func (w *arrayWalk) to(index int64, v *pathVisit) bool {
	for ; w.at >= 0 && w.index < index; w.index++ {
		from := w.at
		w.at = NextItem(w.doc, from)
		if !v.effort(from, w.at) {
			return false
		}
	}
	return w.at >= 0
}

// visitObject goes through the members of the object at i until all that are asked for are found.
// It returns the end of the object if it has come that far, otherwise -1.
func (n *pathNode) visitObject(doc string, i int, v *pathVisit) int {
	var room [4]uint64
	seen := room[:] // a bit per member: of two members with the same key the first counts
	if len(n.members) > 64*len(room) {
		seen = make([]uint64, len(n.members)/64+1)
	}
	missing := len(n.members)
	for i = SkipBlanks(doc, i+1); i < len(doc) && doc[i] == '"'; {
		end, plain := KeyEnd(doc, i+1)
		if end < 0 {
			return -1
		}
		m := n.member(doc[i+1:end-1], plain)
		if i = AfterColon(doc, end); i < 0 {
			return -1
		}
		if m < 0 || seen[m/64]&(1<<(m%64)) != 0 {
			end = ValueEnd(doc, i)
		} else {
			seen[m/64] |= 1 << (m % 64)
			missing--
			end = n.members[m].node.visit(doc, i, v, missing > 0)
		}
		if missing == 0 || end < 0 || !v.effort(i, end) {
			return -1
		}
		if i = SkipBlanks(doc, end); i >= len(doc) || doc[i] != ',' {
			break
		}
		i = SkipBlanks(doc, i+1)
	}
	if i < len(doc) && doc[i] == '}' {
		return i + 1
	}
	return -1
}

// member returns the member with a key as it stands in the document, -1 if none is asked for.
func (n *pathNode) member(raw string, plain bool) int {
	if !plain {
		raw = Unescape(raw)
	}
	return n.find(raw)
}
