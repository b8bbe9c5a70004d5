// Package eventfold is an event store behind database/sql: events are appended to streams, never
// changed, read with SQL, and erased where the law asks for it.
//
// # How do I open a store?
//
//	import _ "github.com/eventfold/eventfold"
//
//	db, err := sql.Open("eventfold", "/var/lib/shop/events")
//
// A store is a directory. The first use makes the directory, the first append the log in it.
// [ParseDSN] tells what may follow the path. A program that has its settings in hand rather than in
// a string calls [OpenDB] with a [Config]. sql.Open touches no disk; Ping does.
//
// All databases that a process opens on one directory share one store, whatever path leads there.
// Any number of other processes may read and follow it meanwhile. The first append takes the write
// lock and keeps it until the store is closed; another process that appends gets [ErrLocked] after
// busy_timeout. With mode=ro nothing at all is written, and there must be a store; BACKUP TO is
// refused then, unless backup=allow is given too.
//
// The files belong to the open store. If somebody removes, renames or replaces the directory, LOCK,
// TAIL or the last segment, or restores a backup there, whoever has the store open gets [ErrMoved]
// within a second, appends before they are acknowledged. Close the database, and open what is there
// now.
//
// # How do I append?
//
//	INSERT INTO "order-7" (type, payload) VALUES (?, ?) EXPECTING NO STREAM
//
// When Exec returns without an error, the event is durable and visible to everybody. EXPECTING says
// at which version the stream must be: ANY (the default), NO STREAM, STREAM EXISTS, VERSION n, or
// that NO EVENT FROM ... WHERE ... AFTER p matches. If it is not, nothing is written and the error
// is a [*ConflictError] with the facts: errors.Is(err, [ErrVersionConflict]).
//
// An event id that the caller gives makes an append safe to repeat: if all its events are stored
// already it succeeds and writes nothing. LastInsertId is the position of the last event,
// RowsAffected the number of events newly written. In a transaction both may be asked again after
// Commit; before it there is no position.
//
// Arguments may be whatever database/sql takes, an [ExpectedVersion], [16]byte and uuid.UUID for
// ids and names of streams, []string for tags, [JSON] of any value for payload and metadata, [Tags]
// for tags, and slices for the list of IN: WHERE type IN (?). What is nil is NULL.
//
// # How do I read?
//
//	SELECT version, type, payload FROM "order-7" WHERE version >= ?
//	SELECT type, COUNT(*) FROM $all GROUP BY type
//	SELECT event FROM $all WHERE position >= ?
//
// A stream is a table, $all is all of them. A stream that does not exist has no rows. The
// pseudo-column event scans into an [Event], which costs a tenth of scanning its columns. JSON
// columns are []byte, or string with json=text; Scan(eventfold.JSON(&v)) fills a Go value.
//
// # How do I follow?
//
//	SELECT position, type, payload FROM $all WHERE position >= ? FOLLOW
//
// The rows go on with new events as they commit, until the query's context ends. Keep the next
// position to read as a checkpoint. Closing the database ends waiting rows with [ErrClosed]. FOLLOW
// PROGRESS also tells how far a follower has looked when nothing matches.
//
//	SELECT type, COUNT(*), as_of FROM $all GROUP BY type FOLLOW
//
// gives the rows of a query over groups, and then those that change, each with the position that it
// is of. FOLLOW AFTER ? goes on from such a position.
//
// # What is a transaction?
//
// Everything that is inserted between BeginTx and Commit is one append: all of it or nothing, over
// any number of streams. SELECT sees the store as it was at BeginTx, and the transaction's own
// events, whose position is NULL until Commit; so is their version unless an exact expectation of
// the transaction pins it. No lock is held meanwhile. Expectations, conditions included, see what
// SELECT would see in their place. They are checked when the INSERT runs and again by Commit, which
// returns the conflict with what others have appended meanwhile. Commit runs under the context of
// BeginTx.
//
// The isolation levels are Default, RepeatableRead and Snapshot, which are one, and Serializable.
// Commit of a serializable transaction fails if some statement of it would give something else by
// then: an [*Error] with the code [ErrConditionFailed] that is Retryable and names the SELECT and
// the event. Then everything has to be read and decided again, in a new transaction.
//
// Exec takes several statements at once, separated by semicolons, as one transaction: all or
// nothing. They consume their arguments from left to right. BEGIN, COMMIT and ROLLBACK work as
// words too, in one text, or one by one on a sql.Conn with begin=allow in the DSN; SAVEPOINT and
// its kin work in any transaction.
//
// # How do I erase?
//
//	ERASE FROM $all WHERE HAS(tags, ?) REASON 'Art. 17, ticket 114'
//
// Payload and metadata of the events are gone for ever: for whoever reads from then on at once, and
// from the files soon after. Their positions, versions, ids, types and tags stay. RowsAffected is
// the number of events. SELECT * FROM $erasures tells who has erased (Config.Actor), why, and
// whether it is done. EXPLAIN ERASE counts, and erases nothing.
//
// # How do I keep a store in memory?
//
// The DSN :memory: is a store of its own for every sql.Open, shared by its connections.
// file:name?mode=memory is shared by all databases of the process that name it, and is gone when
// the last one closes it. BACKUP TO saves it to a directory on the disk.
//
// # What about time?
//
// recorded_at is given by the store in whole microseconds, never decreases, and comes back as a
// time.Time in UTC. Times given as arguments are instants in whole microseconds: nanoseconds are
// cut off; the time zone and the monotonic part do not matter. now() is the store's clock, which
// Config.Now may give.
//
// # What do errors tell?
//
// Every error is an [*Error] with a [Code], except that a context's error is returned as it is. An
// append whose outcome cannot be known matches [ErrOutcomeUnknown]; repeat it with the same event
// ids. driver.ErrBadConn is never returned once anything has been done, so that database/sql never
// appends twice.
//
// # What about personal data?
//
//	SELECT reveal(payload->'$.email') FROM "order-7"
//	FORGET SUBJECT 'customer:42' REASON 'Art. 17'
//
// Package shred seals values inside of payloads with a key for each person. Config.Keyring opens them
// in SQL, and FORGET SUBJECT destroys a key, and with it the values in every copy of the store, and
// appends an event that tells of it. The errors of keyrings have the code [ErrKeyring].
//
// # Can I have functions of my own?
//
//	SELECT slug(payload->>'$.title') FROM $all
//
// Config.Functions and [RegisterFunction] take scalar functions and aggregates that are written in Go.
// What they take and give is told by their types: see [Function].
//
// # What about typed events and read models?
//
// [AppendEvents] appends Go values and [Load] folds a stream of them, [Retry] and [Decide] make
// decisions again when somebody else was faster, and [Project] keeps a read model in a database of
// yours, each event exactly once. They are functions over database/sql, none of which the driver
// needs. Package eventfoldtest is for tests.
//
// # Can I have it faster?
//
// database/sql's own work costs more than reading an event does. sql.Conn.Raw hands out a [*Conn],
// whose Store has cursors, batches of appends and Wait.
package eventfold

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"runtime"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/query"
)

// The engine's nouns, so that most programs need one import.
type (
	// An Event is a committed event. It can be scanned from the pseudo-column event.
	Event = engine.Event
	// A NewEvent is an event that has not been committed.
	NewEvent = engine.NewEvent
	// A Position is the zero-based place of an event in the whole log.
	Position = engine.Position
	// A Version is the zero-based place of an event in its stream.
	Version = engine.Version
	// An ExpectedVersion says at which version a stream must be for an append to happen.
	ExpectedVersion = engine.ExpectedVersion
	// An Append is what one Store.Append does to one stream.
	Append = engine.Append
	// Appended is the outcome of an append.
	Appended = engine.Appended
	// Placed is where one event of an append has its place.
	Placed = engine.Placed
	// A Store is an event store, without SQL.
	Store = engine.Store
	// Stats are the counters and sizes of a store.
	Stats = engine.Stats
	// An ApplyReport tells what ApplyErasures has done.
	ApplyReport = filestore.ApplyReport
)

// The facts behind an [*Error], for errors.As.
type (
	// A ConflictError tells which expectations did not hold.
	ConflictError = engine.ConflictError
	// A FailedCheck is one of them.
	FailedCheck = engine.FailedCheck
	// A DuplicateEventError tells where an event id is stored already.
	DuplicateEventError = engine.DuplicateEventError
	// A StreamNotFoundError names the stream.
	StreamNotFoundError = engine.StreamNotFoundError
	// An InvalidError tells what can never be appended.
	InvalidError = engine.InvalidError
	// A TooLargeError gives size and limit.
	TooLargeError = engine.TooLargeError
	// A CorruptError names the file, the place and the events that are lost.
	CorruptError = engine.CorruptError
	// A FormatError names a file that is not a store's, or of a later version.
	FormatError = engine.FormatError
	// A BackupError says why BACKUP TO was refused. Nothing was changed.
	BackupError = filestore.BackupError
	// A LedgerError says in which line a ledger is no ledger, or not the whole one.
	LedgerError = filestore.LedgerError
	// A SealError names an event of a copy that is another one than the ledger names.
	SealError = filestore.SealError
	// A NetworkError names a store on a network file system.
	NetworkError = engine.NetworkError
	// A HeadError tells what the log has in the place of the head that was expected.
	HeadError = engine.HeadError
	// A MovedError names what is not where it was when the store was opened.
	MovedError = engine.MovedError
	// A MemoryError tells which limit a query has met: its own, query_memory, or that of all
	// queries of the store together, memory.
	MemoryError = query.MemoryError
	// A SpillError tells why a query could not keep in a temporary file what its memory does not hold:
	// its limit, spill, is met, the disk is full, or the system has refused something.
	SpillError = query.SpillError
	// An UntoldError tells why a key is destroyed and no event tells of it yet.
	UntoldError = query.UntoldError
	// A LockedError names the process that holds the write lock.
	LockedError = engine.LockedError
)

// The expected versions.
var (
	Any          = engine.Any          // whatever the stream's version is
	NoStream     = engine.NoStream     // the stream has no events
	StreamExists = engine.StreamExists // the stream has at least one event
)

// Exact expects the stream's last event to have version v. Exact(NoVersion) holds where NoStream
// does.
func Exact(v Version) ExpectedVersion { return engine.Exact(v) }

const (
	// NoPosition means "before everything".
	NoPosition = engine.NoPosition
	// NoVersion is the version of a stream that does not exist.
	NoVersion = engine.NoVersion
)

// DriverName is the name under which the driver is registered with database/sql.
const DriverName = "eventfold"

func init() { sql.Register(DriverName, &Driver{}) }

var (
	_ driver.Driver        = (*Driver)(nil)
	_ driver.DriverContext = (*Driver)(nil)
	_ driver.Connector     = (*Connector)(nil)
	_ io.Closer            = (*Connector)(nil)
)

// A Driver is what database/sql knows as "eventfold". It has no state; the zero value is ready for
// wrappers.
type Driver struct{}

// OpenConnector reads the DSN. It touches no disk.
func (d *Driver) OpenConnector(dsn string) (driver.Connector, error) {
	c, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return NewConnector(c), nil
}

// Open opens one connection. It is what wrappers that know no connectors call, once for each
// connection, and so it refuses :memory:, which would be another store every time.
func (d *Driver) Open(dsn string) (driver.Conn, error) {
	c, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if c.Mode == Memory && c.Path == "" {
		return nil, fault(ErrConfig, "open", "%s opened connection by connection would be a "+
			"new store each time; write file:name?mode=memory, which is shared in the process", memoryPath)
	}
	connector := NewConnector(c)
	conn, err := connector.Connect(context.Background())
	connector.lease.detach() // the connection keeps the store open
	return conn, err
}

// OpenDB opens a database. Like sql.Open it touches no disk; what is wrong with the Config is told
// by the first use.
func OpenDB(c Config) *sql.DB { return sql.OpenDB(NewConnector(c)) }

// A Connector opens a store with its first connection and keeps it open for the others.
type Connector struct {
	lease *lease
}

// NewConnector returns a Connector for sql.OpenDB. It touches no disk; an invalid Config surfaces
// at Connect. One that is dropped without Close gives its store back when the garbage collector
// finds it.
func NewConnector(c Config) *Connector {
	c = c.normal()
	l := &lease{config: c, find: lookupStore}
	l.functions, l.refused = functionsOf(c)
	l.ended, l.end = context.WithCancel(context.Background())
	connector := &Connector{lease: l}
	// Cleanups share one goroutine, and closing a store may take a while.
	runtime.AddCleanup(connector, func(l *lease) { go l.detach() }, l)
	return connector
}

// Connect returns a connection. The context bounds the opening of the store, nothing after it.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.lease.config.validate(); err != nil {
		return nil, &Error{Code: ErrConfig, Op: "open", Err: err}
	}
	if err := c.lease.refused; err != nil {
		return nil, &Error{Code: ErrConfig, Op: "open", Err: err}
	}
	defer runtime.KeepAlive(c) // whose end would be that of its lease
	s, err := c.lease.acquire(ctx)
	if err != nil {
		return nil, wrapError(ctx, "open", "", err)
	}
	return newConn(c.lease, s), nil
}

// Driver returns the Driver.
func (c *Connector) Driver() driver.Driver { return &Driver{} }

// Close ends rows that wait in FOLLOW and gives the Connector's reference to the store back. Other
// connections and rows go on; the last one to be closed closes the store. Calling Close again does
// nothing.
func (c *Connector) Close() error {
	return wrapError(context.Background(), "close", "", c.lease.close())
}
