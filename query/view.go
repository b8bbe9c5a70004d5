package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// A viewDefinition is a view as one event of the store tells of it. It is immutable.
type viewDefinition struct {
	name      string
	kind      string
	text      string // of its SELECT
	createdAt time.Time
	position  engine.Position // of the event; NoPosition for one of an open transaction
	parse     func() (*parser.Select, error)
}

// The kinds of views: one is computed whenever it is read, of the other the groups are kept.
const (
	plainView        = "view"
	materializedView = "materialized"
)

func newViewDefinition(d engine.Definition) *viewDefinition {
	v := &viewDefinition{name: d.Name, kind: d.Kind, text: d.Text, position: engine.NoPosition}
	v.parse = sync.OnceValues(v.read)
	return v
}

// read parses the definition.
func (v *viewDefinition) read() (*parser.Select, error) {
	parsed, err := parser.Parse(v.text)
	if err != nil {
		return nil, err
	}
	sel, ok := parsed.Statement.(*parser.Select)
	if !ok || parsed.Params.Count > 0 || parsed.Params.Names != nil {
		return nil, errors.New("its definition is not a SELECT without parameters")
	}
	return sel, nil
}

// unreadable is the error of a definition that cannot be parsed, at the place where the view is used.
func (v *viewDefinition) unreadable(err error, pos parser.Pos) error {
	return errorf(BadStatement, pos, "view %s cannot be read: %s", fault.Quoted(v.name),
		strings.TrimPrefix(err.Error(), "eventfold: "))
}

// fault makes an error of an error in the definition, at the place in the statement where the view
// is used. Errors that have no place in the text stay as they are.
func (v *viewDefinition) fault(err error, pos parser.Pos) error {
	var e *Error
	if !errors.As(err, &e) || e.Pos < 0 {
		return err
	}
	line, column := parser.Locate(v.text, e.Pos)
	at := *e
	at.Pos = pos
	at.Msg = fmt.Sprintf("view %s, line %d, column %d: %s", fault.Quoted(v.name), line, column, e.Msg)
	return &at
}

// A viewSet is the views of a store as of some head. It is immutable and may be shared by any number
// of goroutines.
type viewSet struct {
	version engine.Version // of the stream that tells of them; NoVersion if there is none
	byName  map[string]*viewDefinition
	columns sync.Map // of *viewColumns by viewKey
}

// find returns the view of that name, nil if there is none.
func (s *viewSet) find(name string) *viewDefinition { return s.byName[parser.LowerASCII(name)] }

// list returns the views in the order of their names.
func (s *viewSet) list() []*viewDefinition {
	return slices.SortedFunc(maps.Values(s.byName), func(a, b *viewDefinition) int {
		return cmp.Compare(a.name, b.name)
	})
}

// with returns the set as it is after another definition.
func (s *viewSet) with(v *viewDefinition) *viewSet {
	next := &viewSet{version: s.version + 1, byName: map[string]*viewDefinition{}}
	maps.Copy(next.byName, s.byName)
	next.set(v)
	return next
}

// set takes over a definition while the set is made.
func (s *viewSet) set(v *viewDefinition) {
	if v.text == "" {
		delete(s.byName, parser.LowerASCII(v.name))
		return
	}
	s.byName[parser.LowerASCII(v.name)] = v
}

// tell takes over an event of the store's stream while the set is made.
func (s *viewSet) tell(e *engine.Event) error {
	d, ok, err := engine.ParseDefinition(e.Type, e.Payload)
	if err != nil {
		return fmt.Errorf("version %d of stream %s: %w", e.Version, engine.ViewsStream, err)
	}
	if ok {
		v := newViewDefinition(d)
		v.createdAt, v.position = e.RecordedAt, e.Position
		s.set(v)
	}
	return nil
}

// Views are the definitions of a store's views, of which it remembers the last that were asked for.
// The zero value is empty and ready; a nil one remembers nothing. Any number of goroutines may use
// it.
type Views struct {
	mu   sync.Mutex                    // protects the fields below
	sets []*viewSet                    // the last one made first
	kept map[engine.Position]*keptView // of materialised views, by the positions of their definitions
	stop func()                        // ends what attach has begun; nil before it

	keeper atomic.Pointer[viewKeeper] // nil if nothing is kept beside the log
}

// attach has the store tell what is erased. The caller holds mu.
func (v *Views) attach(store engine.Store) {
	if v.stop != nil {
		return
	}
	v.stop = func() {}
	if d, ok := Offers[engine.Deriver](store); ok {
		v.stop = d.OnErase(func(ctx context.Context, erased engine.Spans) error { return v.forget(ctx, d, erased) })
	}
}

// Close lets go of what is kept of views, when the store is no longer used or about to be closed. It
// ends what Keep has begun.
func (v *Views) Close() {
	if k := v.keeper.Swap(nil); k != nil {
		k.close()
	}
	v.mu.Lock()
	all, stop := slices.Collect(maps.Values(v.kept)), v.stop
	v.kept = nil
	v.mu.Unlock()
	if stop != nil {
		stop()
	}
	dropAll(all)
}

// rememberedSets is how many versions of the definitions are remembered: the newest one, of whose
// views groups are kept, and some of the past that AS OF POSITION asks for.
const rememberedSets = 4

// at returns the views as of the index.
func (v *Views) at(ctx context.Context, index engine.ReadIndex) (*viewSet, error) {
	version, some, err := index.StreamVersion(engine.ViewsStream)
	if err != nil {
		return nil, err
	}
	if !some {
		version = engine.NoVersion
	}
	if set := v.recall(version); set.version == version {
		return set, nil
	} else if set, err = readViews(ctx, index, set, version); err != nil {
		return nil, err
	} else {
		return v.remember(set), nil
	}
}

// noViews is the set of a store without any. It is never changed.
var noViews = &viewSet{version: engine.NoVersion}

// recall returns the set of that version or the greatest one below.
func (v *Views) recall(version engine.Version) *viewSet {
	best := noViews
	if v == nil {
		return best
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.sets {
		if s.version <= version && s.version > best.version {
			best = s
		}
	}
	return best
}

// remember returns the set, or the equal one that somebody else has made meanwhile.
func (v *Views) remember(set *viewSet) *viewSet {
	if v == nil {
		return set
	}
	set, old := v.add(set)
	dropAll(old)
	return set
}

// add is remember. It also returns what is kept of views that are gone now, for the caller to drop.
func (v *Views) add(set *viewSet) (same *viewSet, old []*keptView) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.sets, func(s *viewSet) bool { return s.version == set.version })
	if i >= 0 {
		return v.sets[i], nil
	}
	v.sets = slices.Insert(v.sets, 0, set)
	if last := len(v.sets) - 1; last == rememberedSets {
		if v.sets[last] == v.newest() {
			last--
		}
		v.sets = slices.Delete(v.sets, last, last+1)
	}
	return set, v.takeOld()
}

// readViews reads what has been told since an earlier set.
func readViews(
	ctx context.Context, index engine.ReadIndex, from *viewSet, version engine.Version,
) (*viewSet, error) {
	set := &viewSet{version: version, byName: map[string]*viewDefinition{}}
	maps.Copy(set.byName, from.byName)
	c := index.ReadStream(ctx, engine.ViewsStream, from.version+1, engine.Forwards)
	defer c.Close()
	for c.Next() {
		if err := set.tell(c.Event()); err != nil {
			return nil, err
		}
	}
	return set, c.Err()
}

// views returns the views of the statement's snapshot, with what the open transaction defines.
func (ex *execution) views() (*viewSet, error) {
	set, err := ex.session.Settings.Views.at(ex.ctx, ex.snapshot())
	if err != nil {
		return nil, err
	}
	for i := range ex.own {
		own := &ex.own[i]
		if own.stream != engine.ViewsStream {
			continue
		}
		d, ok, err := engine.ParseDefinition(own.event.Type, own.event.Payload)
		if err != nil {
			return nil, err
		}
		if ok {
			set = set.with(newViewDefinition(d))
		}
	}
	return set, nil
}
