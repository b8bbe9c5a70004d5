package main

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// sell appends a few orders.
func sell(ctx context.Context, db *sql.DB) error {
	for i := range 10 {
		day := time.Date(2026, time.Month(1+i/4), 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		_, err := db.ExecContext(ctx, `INSERT INTO ? (type, payload) VALUES ('Placed', ?)`,
			fmt.Sprintf("order-%d", i), fmt.Sprintf(`{"day": %q, "total": %d}`, day, 10*i))
		if err != nil {
			return err
		}
	}
	return nil
}
