package parser

// A Pos is a place in the text of a statement: a zero-based byte offset.
// Locate turns it into a line and a column.
type Pos int32

// A Parsed is one statement together with the text it was read from.
// It is never changed after Parse returns and may be shared by any number of goroutines.
type Parsed struct {
	Text      string
	Statement Statement
	Params    Params
}

// Params tells which arguments a statement takes.
// Positional parameters (?, ?3, $3) are numbered from 1; named ones (:name, @name) go by name.
// A statement uses one of the two kinds.
type Params struct {
	Count int      // the number of positional arguments that must be given
	Names []string // the names in order of first use; nil for positional parameters
}

// A Statement is one of *Select, *Insert, *Guard, *Erase, *CreateView, *DropView, *Show, *Describe,
// *Explain, *Transaction, *Savepoint, *Backup, *Verify, *Forget.
type Statement interface{ statement() }

// A Select is a whole query: WITH, one core or several joined by UNION, INTERSECT and EXCEPT, and
// what applies to all of it.
type Select struct {
	Pos     Pos
	With    []CTE
	First   *Core
	Unions  []Union
	OrderBy []Order
	Limit   Expr // nil for none (and for LIMIT ALL)
	Offset  Expr // nil for none
	AsOf    Expr // AS OF POSITION; nil for none
	Follow  bool

	Progress  bool // FOLLOW PROGRESS
	After     Expr // FOLLOW AFTER; nil for none
	Recursive bool // WITH RECURSIVE
}

// A CTE is one name [(columns)] AS (select) of a WITH.
type CTE struct {
	Pos     Pos
	Name    string
	Columns []Name // what its columns are called; empty if they keep their names
	Select  *Select
}

// A CompoundOp joins the SELECTs of a compound query, from left to right.
type CompoundOp uint8

// The operators of a compound query.
const (
	CompoundUnion CompoundOp = iota
	CompoundIntersect
	CompoundExcept
)

// String returns the word of the operator.
func (o CompoundOp) String() string { return [...]string{"UNION", "INTERSECT", "EXCEPT"}[o] }

// A Union is one further core of a compound query, and how it is joined to those before it.
type Union struct {
	Op   CompoundOp
	All  bool
	Core *Core
}

// A Core is SELECT ... FROM ... WHERE ... GROUP BY ... HAVING ... WINDOW ... QUALIFY, or VALUES.
type Core struct {
	Pos        Pos
	Values     [][]Expr // of VALUES, rows of the same length: nothing else is set then
	Distinct   bool     // of DISTINCT ON, too
	DistinctOn []Expr   // DISTINCT ON (...); empty without
	Results    []Result
	From       Source     // nil without FROM
	Where      Expr       // nil without WHERE
	GroupBy    []Expr     // the expressions of GROUP BY, in the order of the text
	Grouping   []Grouping // which of them are grouped by together; nil where all of them are
	GroupAll   bool       // GROUP BY ALL
	Having     Expr
	Windows    []NamedWindow // of WINDOW
	Qualify    Expr          // nil without QUALIFY
}

// A NamedWindow is name AS (window) of WINDOW.
type NamedWindow struct {
	Name   Name
	Window *Window
}

// A Grouping is one item of a GROUP BY that has more than one list of expressions: such a list, or
// ROLLUP, CUBE or GROUPING SETS of items.
type Grouping struct {
	Kind  GroupingKind
	Terms []int      // of GroupTerms: the places in GroupBy; none for ()
	Items []Grouping // of the others
}

// A GroupingKind tells what a Grouping is.
type GroupingKind uint8

// The kinds of items of a GROUP BY.
const (
	GroupTerms GroupingKind = iota
	GroupRollup
	GroupCube
	GroupSets
)

// String returns the words that the item begins with, "" for a list of expressions.
func (k GroupingKind) String() string {
	return [...]string{"", "ROLLUP", "CUBE", "GROUPING SETS"}[k]
}

// A Result is one item of a SELECT list: a star, or an expression with its name.
type Result struct {
	Pos       Pos
	Star      bool
	StarTable string        // for t.*
	Exclude   []Name        // of a star: the columns that it leaves out
	Replace   []Replacement // of a star: the columns that it gives other values
	Expr      Expr          // nil for a star
	Alias     string        // "" without one
	// the expression as the user wrote it; the column's name where there is no alias
	Text string
}

// A Replacement is one expr AS name of * REPLACE (...).
type Replacement struct {
	Name Name
	Expr Expr
}

// A Source is one of *Table, *TableFunc, *Derived, *Join.
type Source interface{ source() }

// A Table names an event stream or one of the tables whose names begin with $ or stand in
// information_schema.
type Table struct {
	Pos    Pos
	Schema string // "", "main", "eventfold", "information_schema" or "views", lower case
	Name   string // byte-exact, without quotes; "$all" and the like keep their $
	Alias  string
	Param  *Param // set instead of Name where the name is bound (INSERT INTO ?)
}

// A TableFunc is a function in FROM, which gives rows. Its arguments may read the sources to its
// left.
type TableFunc struct {
	Pos     Pos
	Name    string // lower case
	Args    []Expr
	Alias   string
	Columns []Name // other names for its first columns; nil for none
}

// A Derived is a sub-query in FROM.
type Derived struct {
	Pos     Pos
	Lateral bool // it may read the sources to its left
	Select  *Select
	Alias   string
	Columns []Name // other names for its first columns; nil for none
}

// A Join combines two sources. On is nil for CROSS JOIN, a comma, and where USING or NATURAL or
// nothing says what is compared.
type Join struct {
	Pos         Pos
	Left, Right Source
	Kind        JoinKind
	Natural     bool
	On          Expr
	Using       []string
}

// A JoinKind tells which rows without a match a join keeps.
type JoinKind uint8

// The kinds of join. OUTER changes nothing.
const (
	InnerJoin JoinKind = iota // none: JOIN, CROSS JOIN and a comma
	LeftJoin                  // those of the left side
	RightJoin                 // those of the right side
	FullJoin                  // those of both
)

// An Order is one item of ORDER BY.
type Order struct {
	Expr  Expr
	Desc  bool
	Nulls NullOrder
}

// A NullOrder says where NULLs go: by default they are the smallest values.
type NullOrder uint8

// The places of NULLs in an order.
const (
	NullsDefault NullOrder = iota
	NullsFirst
	NullsLast
)

// An Insert appends events.
type Insert struct {
	Pos       Pos
	Into      *Table
	Columns   []Name // empty if the statement has no column list
	Rows      [][]Expr
	Expect    []Expectation
	Returning *Returning // nil without RETURNING
}

// A Returning is the list after RETURNING.
type Returning struct {
	Star    bool
	Columns []Name
}

// A Name is a column's name at a place in the text.
type Name struct {
	Pos  Pos
	Text string
}

// An Erase destroys the content of events.
type Erase struct {
	Pos    Pos
	From   *Table
	Where  Expr
	Reason Expr // a Literal or a Param
}

// A CreateView is CREATE [OR REPLACE] [MATERIALIZED] VIEW [IF NOT EXISTS] name AS select.
type CreateView struct {
	Pos          Pos
	View         *Table
	Replace      bool // OR REPLACE
	Materialized bool
	IfNotExists  bool
	Select       *Select
	Text         string // of the SELECT, as the user wrote it
	At           Pos    // where Text begins in the statement
}

// A DropView is DROP VIEW [IF EXISTS] name.
type DropView struct {
	Pos      Pos
	View     *Table
	IfExists bool
}

// A Guard is EXPECT table expectation, ...: a check without an event.
type Guard struct {
	Pos    Pos
	Table  *Table
	Expect []Expectation
}

// An Expectation is one item of EXPECTING or EXPECT.
type Expectation struct {
	Pos     Pos
	Kind    ExpectationKind
	Version Expr   // ExpectVersion: a number or a parameter
	From    *Table // ExpectNoEvent
	Where   Expr   // ExpectNoEvent; nil without WHERE
	After   Expr   // ExpectNoEvent; nil without AFTER
}

// An ExpectationKind tells what an Expectation asks for.
type ExpectationKind uint8

// The kinds of expectation.
const (
	ExpectAny ExpectationKind = iota
	ExpectNoStream
	ExpectStreamExists
	ExpectVersion
	ExpectNoEvent
)

// A Show is SHOW TABLES, SHOW STREAMS, SHOW TYPES, SHOW VIEWS, SHOW FUNCTIONS, SHOW COLUMNS FROM table
// or SHOW CREATE VIEW name.
type Show struct {
	Pos   Pos
	What  string // "tables", "streams", "types", "views", "functions", "columns" or "view"
	Table *Table // for columns, and for one view
	Like  Expr   // nil without LIKE
	Limit Expr   // nil without LIMIT
}

// A Describe is DESCRIBE table.
type Describe struct {
	Pos   Pos
	Table *Table
}

// An Explain is EXPLAIN [ANALYZE | QUERY PLAN] of a Select or an Insert.
type Explain struct {
	Pos       Pos
	Analyze   bool
	Statement Statement
}

// A Transaction is BEGIN, COMMIT or ROLLBACK as text.
type Transaction struct {
	Pos       Pos
	Kind      TransactionKind
	Isolation IsolationLevel // of Begin
	ReadOnly  bool           // of Begin
}

// An IsolationLevel is the one that BEGIN asks for.
type IsolationLevel uint8

// The levels.
const (
	DefaultIsolation      IsolationLevel = iota // none is named
	SnapshotIsolation                           // REPEATABLE READ or SNAPSHOT
	SerializableIsolation                       // SERIALIZABLE
)

// A TransactionKind tells what a Transaction statement does.
type TransactionKind uint8

// The kinds of transaction statement.
const (
	Begin TransactionKind = iota
	Commit
	Rollback
)

// A Savepoint is SAVEPOINT name, ROLLBACK TO name or RELEASE name.
type Savepoint struct {
	Pos  Pos
	Kind SavepointKind
	Name string // compared without regard to ASCII case
}

// A SavepointKind tells what a Savepoint statement does.
type SavepointKind uint8

// The kinds of savepoint statement.
const (
	SavepointSet SavepointKind = iota
	SavepointRollback
	SavepointRelease
)

// A Backup is BACKUP TO directory.
type Backup struct {
	Pos Pos
	To  Expr
}

// A Forget is FORGET SUBJECT subject REASON reason.
type Forget struct {
	Pos     Pos
	Subject Expr
	Reason  Expr
}

// A Verify is VERIFY: check every byte of the store.
type Verify struct{ Pos Pos }

func (*Select) statement()      {}
func (*Insert) statement()      {}
func (*Guard) statement()       {}
func (*Erase) statement()       {}
func (*CreateView) statement()  {}
func (*DropView) statement()    {}
func (*Show) statement()        {}
func (*Describe) statement()    {}
func (*Explain) statement()     {}
func (*Transaction) statement() {}
func (*Savepoint) statement()   {}
func (*Backup) statement()      {}
func (*Verify) statement()      {}
func (*Forget) statement()      {}

func (*Table) source()     {}
func (*TableFunc) source() {}
func (*Derived) source()   {}
func (*Join) source()      {}

// An Expr is one of *Literal, *Param, *Column, *Unary, *Binary, *Nary, *In, *Like, *Between, *Case,
// *Cast, *Call, *Subquery, *Exists, *Collate, *Interval, *Row.
type Expr interface {
	expr()
	// At returns the place of the expression: of its left-most leaf, or of its operator.
	At() Pos
}

// An Op is an operator of a Unary, Binary or Nary expression.
type Op uint8

// The operators.
const (
	OpAnd    Op = iota + 1 // Nary
	OpOr                   // Nary
	OpAdd                  // Nary, from left to right
	OpConcat               // Nary, from left to right
	OpSub                  // Binary, as all that follow up to OpArrowText
	OpMul
	OpDiv
	OpMod
	OpIntDiv // DIV
	OpEq
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpIs        // IS, IS NOT DISTINCT FROM
	OpIsNot     // IS NOT, IS DISTINCT FROM
	OpRegexp    // x REGEXP pattern; NOT REGEXP is a Unary around it
	OpArrow     // ->
	OpArrowText // ->>
	OpNot       // Unary, as all that follow
	OpNeg
	OpPlus
)

type (
	// A Literal is a constant: nil, int64, float64, string, []byte (x'...') or bool.
	Literal struct {
		Pos   Pos
		Value any
	}
	// A Param is a placeholder. Exactly one of Index (from 1) and Name is set.
	Param struct {
		Pos   Pos
		Index int
		Name  string
	}
	// A Column is a name that stands for a value. Quoted tells that it was written in quotes.
	Column struct {
		Pos    Pos
		Table  string
		Name   string
		Quoted bool
	}
	// A Unary is NOT x, -x or +x.
	Unary struct {
		Pos Pos
		Op  Op
		X   Expr
	}
	// A Binary is x op y.
	Binary struct {
		Pos  Pos // of the operator
		Op   Op
		X, Y Expr
	}
	// A Nary is a chain of two or more terms with one operator: AND, OR, + or ||.
	// Chains are flat however long they are, so that walking a tree never runs deep.
	Nary struct {
		Op    Op
		Terms []Expr
	}
	// An In is x [NOT] IN (list) or x [NOT] IN (select). Select is nil for a list. IN table is the
	// SELECT of all its columns.
	In struct {
		Pos    Pos
		X      Expr
		Not    bool
		List   []Expr
		Select *Select
		Table  bool // it is IN table
	}
	// A Like is x [NOT] LIKE pattern [ESCAPE escape], or ILIKE.
	Like struct {
		Pos     Pos
		X       Expr
		Not     bool
		Fold    bool // ILIKE
		Pattern Expr
		Escape  Expr // nil without ESCAPE
	}
	// A Between is x [NOT] BETWEEN lo AND hi.
	Between struct {
		Pos    Pos
		X      Expr
		Not    bool
		Lo, Hi Expr
	}
	// A Case is CASE [operand] WHEN ... THEN ... ELSE ... END.
	Case struct {
		Pos     Pos
		Operand Expr // nil for a searched CASE
		Whens   []When
		Else    Expr // nil without ELSE
	}
	// A When is one branch of a Case.
	When struct{ Cond, Then Expr }
	// A Cast is CAST(x AS type) or x::type. Type is as the user wrote it, upper case.
	Cast struct {
		Pos  Pos
		X    Expr
		Type string
	}
	// A Call is a function, an aggregate or a window function. EXTRACT(unit FROM x) is
	// extract('unit', x), SUBSTRING(x FROM a FOR b) is substring(x, a, b),
	// TRIM([BOTH|LEADING|TRAILING] y FROM x) is trim/ltrim/rtrim(x, y), DATE '...' is date('...'),
	// TIMESTAMP '...' is timestamp('...'), x AT TIME ZONE zone is timezone(zone, x).
	Call struct {
		Pos      Pos
		Name     string // lower case
		Star     bool   // COUNT(*)
		Distinct bool
		Args     []Expr
		OrderBy  []Order // in the parentheses, or of WITHIN GROUP
		Within   bool    // OrderBy stands in WITHIN GROUP (ORDER BY ...)
		Filter   Expr    // FILTER (WHERE ...); nil without
		Over     *Window // OVER (...); nil without

		IgnoreNulls bool // IGNORE NULLS, in front of OVER
	}
	// A Window is what stands after OVER, or in a WINDOW. Name is set for OVER name, and nothing
	// else then; Base for (name ...), which goes on with another window.
	Window struct {
		Pos         Pos
		Name, Base  Name
		PartitionBy []Expr
		OrderBy     []Order
		Frame       *Frame // nil for the default frame
	}
	// A Frame is ROWS, RANGE or GROUPS BETWEEN start AND end, and what of that it leaves out.
	Frame struct {
		Unit       FrameUnit
		Start, End Bound
		Exclude    Exclusion
	}
	// A Bound is one end of a Frame.
	Bound struct {
		Kind   BoundKind
		Offset Expr // for Preceding and Following
	}
	// A Subquery is a SELECT that stands for one value.
	Subquery struct {
		Pos    Pos
		Select *Select
	}
	// An Exists is EXISTS (select).
	Exists struct {
		Pos    Pos
		Select *Select
	}
	// A Collate is x COLLATE name. Name is upper case.
	Collate struct {
		Pos  Pos
		X    Expr
		Name string
	}
	// An Interval is INTERVAL x unit, an operand of + and - beside a time. Unit is lower case,
	// singular; it is "" for INTERVAL 'text', whose X is a literal or a parameter.
	Interval struct {
		Pos  Pos
		X    Expr
		Unit string
	}
	// A Row is (a, b, ...), two values or more, which stand beside another row in a comparison.
	Row struct {
		Pos   Pos // of the parenthesis
		Items []Expr
	}
)

// A FrameUnit tells what the offsets of a window frame count, and what CURRENT ROW is.
type FrameUnit uint8

// The units of a window frame.
const (
	FrameRange  FrameUnit = iota // differences of the value that ORDER BY gives
	FrameRows                    // rows
	FrameGroups                  // groups of rows that are equal in ORDER BY
)

// An Exclusion tells which rows a window frame leaves out.
type Exclusion uint8

// The exclusions.
const (
	ExcludeNoOthers   Exclusion = iota // none
	ExcludeCurrentRow                  // the current row
	ExcludeGroup                       // the current row and all that are equal to it in ORDER BY
	ExcludeTies                        // all that are equal to it, but not the current row
)

// A BoundKind tells where a window frame begins or ends.
type BoundKind uint8

// The ends of a window frame.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

func (*Literal) expr()  {}
func (*Param) expr()    {}
func (*Column) expr()   {}
func (*Unary) expr()    {}
func (*Binary) expr()   {}
func (*Nary) expr()     {}
func (*In) expr()       {}
func (*Like) expr()     {}
func (*Between) expr()  {}
func (*Case) expr()     {}
func (*Cast) expr()     {}
func (*Call) expr()     {}
func (*Subquery) expr() {}
func (*Exists) expr()   {}
func (*Collate) expr()  {}
func (*Interval) expr() {}
func (*Row) expr()      {}

// At returns where it begins.
func (e *Literal) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Param) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Column) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Unary) At() Pos { return e.Pos }

// At returns where its left operand begins.
func (e *Binary) At() Pos { return e.X.At() }

// At returns where its first term begins.
func (e *Nary) At() Pos { return e.Terms[0].At() }

// At returns where its left operand begins.
func (e *In) At() Pos { return e.X.At() }

// At returns where its left operand begins.
func (e *Like) At() Pos { return e.X.At() }

// At returns where its left operand begins.
func (e *Between) At() Pos { return e.X.At() }

// At returns where it begins.
func (e *Case) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Cast) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Call) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Subquery) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Exists) At() Pos { return e.Pos }

// At returns where its left operand begins.
func (e *Collate) At() Pos { return e.X.At() }

// At returns where it begins.
func (e *Interval) At() Pos { return e.Pos }

// At returns where it begins.
func (e *Row) At() Pos { return e.Pos }
