package filestore

// A mergeHeap has the list of a segment with the least next stream on top; of equal ones the oldest
// segment's. It is a heap.Interface.
type mergeHeap[L interface {
	place() (stream string, segment int)
}] []L

func (h mergeHeap[L]) Len() int { return len(h) }

func (h mergeHeap[L]) Less(i, j int) bool {
	a, first := h[i].place()
	b, second := h[j].place()
	return a < b || a == b && first < second
}

func (h mergeHeap[L]) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *mergeHeap[L]) Push(x any) { *h = append(*h, x.(L)) }

func (h *mergeHeap[L]) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	clear((*h)[last:])
	*h = (*h)[:last]
	return l
}
