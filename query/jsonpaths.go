package query

// A jsonPaths looks up several paths of a document in one pass. It is immutable.
type jsonPaths struct {
	root  pathNode
	count int
}

// A pathNode is a place in a document that one or several paths lead to or through.
type pathNode struct {
	out     []int // the paths that end here
	members []pathMember
	items   []pathItem
	fromEnd []pathItem // counted from the end
}

type pathMember struct {
	key  string
	node *pathNode
}

type pathItem struct {
	index int64
	node  *pathNode
}

// newJSONPaths prepares a pass for paths.
func newJSONPaths(paths []*jsonPath) *jsonPaths {
	p := &jsonPaths{count: len(paths)}
	for i, path := range paths {
		node := &p.root
		for _, step := range path.steps {
			node = node.child(step)
		}
		node.out = append(node.out, i)
	}
	return p
}

func (n *pathNode) child(step jsonStep) *pathNode {
	if step.kind == stepKey {
		for _, m := range n.members {
			if m.key == step.key {
				return m.node
			}
		}
		n.members = append(n.members, pathMember{step.key, new(pathNode)})
		return n.members[len(n.members)-1].node
	}
	list := &n.items
	if step.kind == stepFromEnd {
		list = &n.fromEnd
	}
	for _, item := range *list {
		if item.index == step.index {
			return item.node
		}
	}
	*list = append(*list, pathItem{step.index, new(pathNode)})
	return (*list)[len(*list)-1].node
}

// extract puts into out, which has a place per path, what each path leads to. It recurses as deep as the longest path.
func (p *jsonPaths) extract(doc string, out []rawJSON) {
	clear(out[:p.count])
	p.root.visit(doc, skipBlanks(doc, 0), out, false)
}

// extractAll looks up paths in one pass. Who does so for many documents prepares them once, with newJSONPaths.
func extractAll(doc string, paths []*jsonPath, out []rawJSON) {
	newJSONPaths(paths).extract(doc, out)
}

// visit handles the value at i, which n stands for. If more is true it returns the end of the value,
// -1 if the document ends within it.
func (n *pathNode) visit(doc string, i int, out []rawJSON, more bool) int {
	if i < 0 || i >= len(doc) {
		return -1
	}
	end := -1
	switch {
	case doc[i] == '{' && len(n.members) > 0:
		end = n.visitObject(doc, i, out)
	case doc[i] == '[':
		n.visitArray(doc, i, out)
	}
	if end < 0 && (more || len(n.out) > 0) {
		end = valueEnd(doc, i)
	}
	if end >= 0 {
		for _, o := range n.out {
			out[o] = rawJSON(doc[i:end])
		}
	}
	return end
}

// visitArray looks up each element by itself: paths through arrays are few.
func (n *pathNode) visitArray(doc string, i int, out []rawJSON) {
	for _, item := range n.items {
		item.node.visit(doc, findElement(doc, i, item.index), out, false)
	}
	if len(n.fromEnd) == 0 {
		return
	}
	count := countElements(doc, i)
	for _, item := range n.fromEnd {
		if item.index > 0 && item.index <= count {
			item.node.visit(doc, findElement(doc, i, count-item.index), out, false)
		}
	}
}

// visitObject goes through the members of the object at i until all that are asked for are found.
// It returns the end of the object if it has come that far, otherwise -1.
func (n *pathNode) visitObject(doc string, i int, out []rawJSON) int {
	var room [4]uint64
	seen := room[:] // a bit per member: of two members with the same key the first counts
	if len(n.members) > 64*len(room) {
		seen = make([]uint64, len(n.members)/64+1)
	}
	missing := len(n.members)
	for i = skipBlanks(doc, i+1); i < len(doc) && doc[i] == '"'; {
		end, plain := keyEnd(doc, i+1)
		if end < 0 {
			return -1
		}
		m := n.member(doc[i+1:end-1], plain)
		if i = afterColon(doc, end); i < 0 {
			return -1
		}
		if m < 0 || seen[m/64]&(1<<(m%64)) != 0 {
			end = valueEnd(doc, i)
		} else {
			seen[m/64] |= 1 << (m % 64)
			missing--
			end = n.members[m].node.visit(doc, i, out, missing > 0)
		}
		if missing == 0 || end < 0 {
			return -1
		}
		if i = skipBlanks(doc, end); i >= len(doc) || doc[i] != ',' {
			break
		}
		i = skipBlanks(doc, i+1)
	}
	if i < len(doc) && doc[i] == '}' {
		return i + 1
	}
	return -1
}

// member returns the member with a key as it stands in the document, -1 if none is asked for.
func (n *pathNode) member(raw string, plain bool) int {
	if !plain {
		raw = unescape(raw)
	}
	for m := range n.members {
		if n.members[m].key == raw {
			return m
		}
	}
	return -1
}
