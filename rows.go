package eventfold

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"math"
	"reflect"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query"
)

var (
	_ driver.Rows                           = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
)

// rows are the result of a query. They keep the store open, so that they can be read to their end
// after the database is closed.
type rows struct {
	ctx       context.Context // of the query
	statement *statement
	names     []string       // of the columns
	columns   []query.Column // nil for those of the statement's plan
	tx        *query.Tx      // the transaction of the query, nil for none
	rows      query.Rows     // nil for a statement that gives none
	store     *openStore     // nil after Close
	jsonText  bool
	follow    *following // nil unless the rows wait for new events
}

// Columns returns the same slice every time.
func (r *rows) Columns() []string { return r.names }

// Next fills dest. It returns io.EOF at the end and the context's error once that has ended.
func (r *rows) Next(dest []driver.Value) error {
	if r.rows == nil || r.store == nil {
		return io.EOF
	}
	err := r.rows.Next(dest)
	if err == nil || err == io.EOF {
		return err
	}
	if r.follow.endedByConnector(r.ctx) {
		err = engine.ErrClosed
	}
	return r.store.log.note(r.ctx, wrapError(r.ctx, "next", r.statement.text, err))
}

// Close gives back what the rows hold. Calling it again does nothing.
func (r *rows) Close() error {
	if r.store == nil {
		return nil
	}
	store := r.store
	r.store = nil
	r.follow.stop()
	var err error
	if r.rows != nil {
		err = r.rows.Close()
	}
	if closing := store.release(); err == nil {
		err = closing
	}
	return wrapError(context.Background(), "close", r.statement.text, err)
}

// A following ends rows that wait for events when their Connector is closed. A nil following does
// nothing.
type following struct {
	ctx    context.Context
	cancel context.CancelFunc
	lease  *lease
	ignore func() bool // stops listening to the lease
}

// newFollowing derives a context that ends with ctx, and when the lease's Connector is closed.
func newFollowing(ctx context.Context, l *lease) *following {
	f := &following{lease: l}
	f.ctx, f.cancel = context.WithCancel(ctx)
	f.ignore = context.AfterFunc(l.ended, f.cancel)
	return f
}

// endedByConnector tells the end of the Connector from the end of the query's own context.
func (f *following) endedByConnector(own context.Context) bool {
	return f != nil && own.Err() == nil && f.lease.ended.Err() != nil
}

func (f *following) stop() {
	if f != nil {
		f.ignore()
		f.cancel()
	}
}

// A columnType is what the optional methods tell of a query.Type.
type columnType struct {
	name           string
	scan, nullable reflect.Type // what a column without and with NULLs is scanned into
	variable       bool         // values have no fixed length
}

// columnTypes never depend on a row: they are known before the first one.
var columnTypes = map[query.Type]columnType{
	query.Any:     {"ANY", reflect.TypeFor[any](), reflect.TypeFor[any](), false},
	query.Integer: {"BIGINT", reflect.TypeFor[int64](), reflect.TypeFor[sql.NullInt64](), false},
	query.Real: {
		"DOUBLE", reflect.TypeFor[float64](), reflect.TypeFor[sql.NullFloat64](), false,
	},
	query.Text: {"TEXT", reflect.TypeFor[string](), reflect.TypeFor[sql.NullString](), true},
	query.Blob: {"BLOB", reflect.TypeFor[[]byte](), reflect.TypeFor[[]byte](), true},
	query.JSON: {"JSON", reflect.TypeFor[[]byte](), reflect.TypeFor[[]byte](), true},
	query.Timestamp: {
		"TIMESTAMP", reflect.TypeFor[time.Time](), reflect.TypeFor[sql.NullTime](), false,
	},
	query.EventType: {"EVENT", reflect.TypeFor[Event](), reflect.TypeFor[Event](), false},
}

func (r *rows) column(i int) query.Column {
	if r.columns != nil {
		return r.columns[i]
	}
	return r.statement.plan.ColumnsIn(r.tx)[i]
}

func (r *rows) columnType(i int) columnType { return columnTypes[r.column(i).Type] }

// ColumnTypeScanType returns a type that can hold every value of the column, NULL included if it
// can be there.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	t := r.columnType(i)
	if r.jsonText && r.column(i).Type == query.JSON {
		t = columnTypes[query.Text]
	}
	if r.column(i).Nullable {
		return t.nullable
	}
	return t.scan
}

// ColumnTypeDatabaseTypeName returns BIGINT, DOUBLE, TEXT, BLOB, JSON, TIMESTAMP, EVENT, or ANY for
// a column whose values differ in type.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.columnType(i).name }

// ColumnTypeNullable reports whether NULL can be there, exactly: in a transaction that can be so of
// position, id and recorded_at.
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) { return r.column(i).Nullable, true }

// ColumnTypeLength returns the greatest length for texts and bytes.
func (r *rows) ColumnTypeLength(i int) (length int64, ok bool) {
	if r.columnType(i).variable {
		return math.MaxInt64, true
	}
	return 0, false
}
