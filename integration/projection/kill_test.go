package projection

import (
	"context"
	"database/sql"

	"github.com/eventfold/eventfold"
)

// runChild is a runner in a process of its own, until it is killed.
func runChild(store, file string) error {
	events, err := sql.Open(eventfold.DriverName, store+"?mode=ro")
	if err != nil {
		return err
	}
	defer events.Close()
	to, err := sql.Open("sqlite", sqliteDSN(file))
	if err != nil {
		return err
	}
	defer to.Close()
	p := balances(to)
	p.Batch = 7
	return eventfold.Project(context.Background(), events, p)
}
