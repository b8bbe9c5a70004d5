package parser

// The limits on what one statement may be. They bound the memory and the time that a hostile text
// can cost.
const (
	maxText    = 16 << 20 // bytes
	maxTokens  = 100_000
	maxParens  = 150  // parentheses inside each other
	maxNesting = 200  // NOT, CASE and signs inside each other
	maxDepth   = 1000 // levels of an expression, where a chain of AND, OR, + or || is one level
	maxJoined  = 64   // tables in one FROM
	maxUnited  = 500  // SELECTs in one UNION
	maxParam   = 32766
	maxNames   = 1000 // different named parameters
)

// MaxStreamName is how many bytes the name of a stream, and so of a table, has at most. It is the
// engine's limit.
const MaxStreamName = 255
