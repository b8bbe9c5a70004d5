// Package drivertest is a suite of checks for drivers of database/sql: what programs, pools and
// wrappers rely on, and what drivers get wrong most often. It knows no dialect and no driver; a
// driver's own test tells it a table to write to and runs it:
//
//	func TestDriver(t *testing.T) {
//		drivertest.Run(t, drivertest.Options{
//			Open: func(t testing.TB) *sql.DB {
//				db, err := sql.Open("mydriver", filepath.Join(t.TempDir(), "db"))
//				if err != nil {
//					t.Fatal(err)
//				}
//				return db
//			},
//			CreateTable: `CREATE TABLE entries (key TEXT, value BLOB)`,
//			Insert:      `INSERT INTO entries (key, value) VALUES (?, ?)`,
//			Select:      `SELECT value FROM entries WHERE key = ?`,
//			All:         `SELECT key, value FROM entries`,
//			Count:       `SELECT COUNT(*) FROM entries`,
//		})
//	}
//
// Run it with -race: several checks are about memory that two goroutines touch. What is not given
// in the Options is not checked, and shows as a skipped test with its reason. [Checks] lists all.
//
// The checks are run one after the other, each on a database of its own. None measures time, but
// what never returns is given up after [Options.Patience].
package drivertest

import (
	"database/sql"
	"testing"
	"time"
)

// DefaultPatience is how long the suite waits for a call that may hang.
const DefaultPatience = 30 * time.Second

// Options tell the suite about a driver. The table has two columns: a key, which is a text, and a
// value, which is bytes or NULL. It need not be a table: whatever can be written and read will do.
type Options struct {
	// Open returns a database with nothing in it, of which nobody else knows. The suite closes it,
	// and so it may not be closed by t.Cleanup as well. It is called once or more for each check.
	Open func(t testing.TB) *sql.DB
	// CreateTable is run first in every database; "" if nothing has to be made.
	CreateTable string

	// Insert adds one row. Its arguments are the key and the value, in this order.
	Insert string
	// InsertNamed does so with arguments that are called key and value; "" if there are no names.
	InsertNamed string
	// Select gives the values of one key, which is its argument, in one column that is called value.
	Select string
	// All gives the columns key and value of all rows, in the order in which they were added.
	All string
	// Count gives the number of rows.
	Count string

	// Endless is a query that takes no argument and would be running after an hour still, with or
	// without having given rows; "" if there is none.
	Endless string
	// Leave is a statement that leaves a transaction open on its connection, such as BEGIN; "" if
	// there is none.
	Leave string
	// Wrong is a text that is no statement. "" means "this is no statement".
	Wrong string

	// Values are queries for everything that the driver can give: at least one for each Go type.
	Values []Value

	// Except are the checks that the driver is known not to pass, by their names, and why. Run skips
	// them; Says does not.
	Except map[string]string
	// Patience is how long to wait for a call that may hang. 0 means DefaultPatience.
	Patience time.Duration
}

// A Value is a query of one row and one column, and what it gives.
type Value struct {
	Query string
	Args  []any
	// Want is what a variable of Want's own type has after Scan; nil for NULL. A time is compared
	// with Equal.
	Want any
}

// A Check is one thing that the suite holds.
type Check struct {
	Name string
	Rule string // what a driver has to do, in one sentence
	// needs are the options without which the check cannot be made; nil if it always can.
	needs func(o *Options) (missing string)
	run   func(s *suite)
}

// Checks returns all checks in the order in which Run makes them.
func Checks() []Check {
	var all []Check
	for _, group := range [][]Check{
		valueChecks, argumentChecks, statementChecks, rowsChecks, txChecks, contextChecks, connChecks, closeChecks,
		togetherChecks,
	} {
		all = append(all, group...)
	}
	return all
}

// Run makes all checks, each as a subtest of its name.
func Run(t *testing.T, o Options) {
	t.Helper()
	o = o.normal(t)
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			if why, known := o.Except[c.Name]; known {
				t.Skip("known not to pass: " + why)
			}
			c.try(t, o)
		})
	}
}

// Says makes one check by its name, whether it stands in Except or not, and returns what it complains
// of instead of failing t: nothing if the driver passes. So a test can hold that what stands in Except
// still fails. A check that cannot be made with these options complains of that.
func Says(t testing.TB, name string, o Options) []string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // ends with the check, which gives up what hangs
		defer close(done)
		o := o.normal(r)
		for _, c := range Checks() {
			if c.Name == name {
				c.try(r, o)
				return
			}
		}
		r.Fatalf("there is no check %s", name)
	}()
	<-done
	return r.complaints()
}

// normal fills in the defaults and refuses what cannot be meant.
func (o Options) normal(t testing.TB) Options {
	t.Helper()
	if o.Open == nil || o.Insert == "" || o.Select == "" || o.All == "" || o.Count == "" {
		t.Fatal("Options needs Open, Insert, Select, All and Count")
	}
	names := map[string]bool{}
	for _, c := range Checks() {
		names[c.Name] = true
	}
	for name := range o.Except {
		if !names[name] {
			t.Fatalf("Except names %s, which is no check", name)
		}
	}
	if o.Wrong == "" {
		o.Wrong = "this is no statement"
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	return o
}

// try makes the check, or says why it cannot.
func (c Check) try(t testing.TB, o Options) {
	t.Helper()
	if c.needs != nil {
		if missing := c.needs(&o); missing != "" {
			t.Skip("Options." + missing + " is not given")
		}
	}
	s := &suite{TB: t, o: o}
	defer s.close()
	s.db = s.open()
	c.run(s)
}

// need makes the needs of a check that takes one option.
func need(name string, given func(o *Options) bool) func(o *Options) string {
	return func(o *Options) string {
		if given(o) {
			return ""
		}
		return name
	}
}

var (
	needsEndless = need("Endless", func(o *Options) bool { return o.Endless != "" })
	needsLeave   = need("Leave", func(o *Options) bool { return o.Leave != "" })
	needsNames   = need("InsertNamed", func(o *Options) bool { return o.InsertNamed != "" })
	needsValues  = need("Values", func(o *Options) bool { return len(o.Values) > 0 })
)
