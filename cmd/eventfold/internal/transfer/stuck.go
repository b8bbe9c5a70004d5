package transfer

import "fmt"

// A StuckError reports that what an export has left unfinished cannot be gone on with. To begin again
// helps.
type StuckError struct {
	Path string // of the file that was to be written
	Err  error
}

// Error implements error.
func (e *StuckError) Error() string {
	return fmt.Sprintf("the unfinished %s%s cannot be gone on with: %s; say --restart to begin again",
		e.Path, partSuffix, e.Err)
}

// Unwrap returns why.
func (e *StuckError) Unwrap() error { return e.Err }

// otherPlan is the error for an unfinished file of another export.
func otherPlan(path string, before string) error {
	return fmt.Errorf("%s%s is of another export (%s): finish that with the same flags, or say --restart",
		path, partSuffix, before)
}
