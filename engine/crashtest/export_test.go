package crashtest

// What only the suites need of what nobody else does.
var (
	Changed  = changed
	Parallel = parallel
)
