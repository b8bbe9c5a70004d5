package parser

// A tokenKind tells what a token is.
type tokenKind uint8

const (
	tokEnd    tokenKind = iota // behind the last token
	tokWord                    // an unquoted word, which may be a keyword
	tokName                    // a quoted or otherwise certain name
	tokString                  // '...'
	tokNumber                  // 12, 1.5e3, 0xFF
	tokBlob                    // x'...'
	tokParam                   // ?, ?3, $3, :name, @name
	tokOp                      // an operator or a punctuation mark
)

// A token is one lexical element of a statement.
type token struct {
	kind     tokenKind
	off, end Pos    // its bytes in the text
	text     string // a word as it was written, the decoded name, or the operator
	key      string // of a word that is a keyword: itself in upper case; of an operator: itself
	// of a literal or a parameter: the Literal's value or a *Param; of what has been read: see
	// carry
	value any
	// of a parenthesis: the index of the one that belongs to it; of what has been read: its last
	// token
	mate int
}

// keywords holds every word that means something somewhere in the grammar, and whether it is
// reserved. A reserved word is never a name unless it is quoted, follows a dot, or names a function
// (see functionWords).
var keywords = map[string]bool{
	"ALL": true, "AND": true, "AS": true, "BETWEEN": true, "CASE": true, "COLLATE": true,
	"CROSS": true, "DEFAULT": true, "DISTINCT": true, "ELSE": true, "END": true,
	"ESCAPE": true, "EXCEPT": true, "EXISTS": true, "FALSE": true, "FROM": true, "FULL": true,
	"GROUP": true, "HAVING": true, "IN": true, "INNER": true, "INTERSECT": true, "INTO": true,
	"IS": true, "ISNULL": true, "JOIN": true, "LEFT": true, "LIKE": true, "LIMIT": true,
	"NATURAL": true, "NOT": true, "NOTNULL": true, "NULL": true, "ON": true, "OR": true,
	"ORDER": true, "OUTER": true, "RIGHT": true, "SELECT": true, "THEN": true, "TRUE": true,
	"UNION": true, "USING": true, "VALUES": true, "WHEN": true, "WHERE": true, "WITH": true,

	"AFTER": false, "ANALYZE": false, "ANY": false, "ASC": false, "AT": false, "BACKUP": false,
	"BEGIN": false, "BOTH": false, "BY": false, "CAST": false, "COLUMNS": false,
	"COMMIT": false, "COMMITTED": false, "CONFLICT": false, "CREATE": false, "CUBE": false,
	"CURRENT": false, "CURRENT_DATE": false, "CURRENT_TIME": false, "CURRENT_TIMESTAMP": false,
	"CURRENT_USER": false, "DATE": false, "DEFERRED": false, "DELETE": false, "DESC": false,
	"DESCRIBE": false, "DIV": false, "DROP": false, "DUPLICATE": false, "ERASE": false,
	"EVENT": false, "EXCLUDE": false, "EXCLUSIVE": false, "EXPECT": false, "EXPECTING": false,
	"EXPLAIN": false, "EXTRACT": false, "FETCH": false, "FILTER": false, "FIRST": false,
	"FOLLOW": false, "FOLLOWING": false, "FOR": false, "FORGET": false, "FUNCTIONS": false,
	"GLOB": false, "GROUPING": false, "GROUPS": false, "IGNORE": false, "ILIKE": false,
	"IMMEDIATE": false, "INSERT": false, "INTERVAL": false, "ISOLATION": false, "LAST": false,
	"LATERAL": false, "LEADING": false, "LEVEL": false, "LOCALTIME": false,
	"LOCALTIMESTAMP": false, "MATCH": false, "MATERIALIZED": false, "NO": false,
	"NULLS": false, "OF": false, "OFFSET": false, "ONLY": false, "OTHERS": false,
	"OVER": false, "PARTITION": false, "PLAN": false, "POSITION": false, "PRECEDING": false,
	"PROGRESS": false, "QUALIFY": false, "QUERY": false, "RANGE": false, "READ": false,
	"REASON": false, "RECURSIVE": false, "REGEXP": false, "RELEASE": false,
	"REPEATABLE": false, "REPLACE": false, "RESPECT": false, "RETURNING": false,
	"RLIKE": false, "ROLLBACK": false, "ROLLUP": false, "ROW": false, "ROWS": false,
	"SAVEPOINT": false, "SEPARATOR": false, "SERIALIZABLE": false, "SETS": false,
	"SHOW": false, "SIMILAR": false, "SNAPSHOT": false, "START": false, "STREAM": false,
	"STREAMS": false, "SUBJECT": false, "SUBSTR": false, "SUBSTRING": false, "TABLES": false,
	"TIES": false, "TIME": false, "TIMESTAMP": false, "TO": false, "TRAILING": false,
	"TRANSACTION": false, "TRIM": false, "TYPES": false, "UNBOUNDED": false,
	"UNCOMMITTED": false, "UPDATE": false, "VERIFY": false, "VERSION": false, "VIEW": false,
	"VIEWS": false, "WINDOW": false, "WITHIN": false, "WORK": false, "WRITE": false,
	"XOR": false, "ZONE": false,
}

// functionWords are the reserved words that name a function where an operand is expected and a
// parenthesis follows.
var functionWords = map[string]bool{"LEFT": true, "RIGHT": true, "LIKE": true}

const longestKeyword = 17

// keyOf returns the keyword that a word is, in upper case, or "".
func keyOf(word string) string {
	if len(word) > longestKeyword {
		return ""
	}
	var upper [longestKeyword]byte
	for i := range len(word) {
		c := word[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	if s := keyIndex[string(upper[:len(word)])]; s != "" {
		return s
	}
	return ""
}

// keyIndex maps every keyword to itself, so that a look-up by bytes does not allocate.
var keyIndex = func() map[string]string {
	m := make(map[string]string, len(keywords))
	for k := range keywords {
		m[k] = k
	}
	return m
}()

// is tells whether the token is one of the keywords or operators.
func (t *token) is(keys ...string) bool {
	if t.key == "" {
		return false
	}
	for _, k := range keys {
		if t.key == k {
			return true
		}
	}
	return false
}

// reserved tells whether the token is a word that cannot be a name.
func (t *token) reserved() bool { return t.kind == tokWord && keywords[t.key] }

// naming tells whether the token may stand for a name.
func (t *token) naming() bool { return t.kind == tokName || t.kind == tokWord && !t.reserved() }

// named tells whether the token may stand for a name behind or in front of a dot.
func (t *token) named() bool { return t.kind == tokName || t.kind == tokWord }

// literal tells whether the token is a constant or a parameter.
func (t *token) literal() bool { return t.kind >= tokString && t.kind <= tokParam }

// startsOperand tells whether an operand may begin with the token.
func (t *token) startsOperand() bool {
	return t.literal() || t.naming() ||
		t.is("(", "-", "+", "NOT", "CASE", "EXISTS", "NULL", "TRUE", "FALSE")
}

// endsOperand tells whether an operand may end with the token.
func (t *token) endsOperand() bool {
	switch t.kind {
	case tokWord:
		return !t.reserved() || t.is("NULL", "TRUE", "FALSE", "END", "ISNULL", "NOTNULL", "ALL")
	case tokOp:
		return t.key == ")"
	}
	return t.kind != tokEnd
}
