package main

import (
	"context"
	"fmt"
)

// Invoice numbers without gaps: every invoice has the number after the last one, and no number is
// given twice.

func (d *decider) invoice(ctx context.Context, customer string) error {
	return d.decide(func() error {
		var last, number *int64
		err := d.db.QueryRowContext(ctx, `
			SELECT MAX(position), MAX(payload->>'$.number') FROM $all
			WHERE type = 'InvoiceCreated'`).Scan(&last, &number)
		if err != nil {
			return err
		}
		next := int64(1)
		if number != nil {
			next = *number + 1
		}
		_, err = d.db.ExecContext(ctx, `
			INSERT INTO ? (type, payload) VALUES ('InvoiceCreated', ?)
			EXPECTING NO EVENT FROM $all WHERE type = 'InvoiceCreated' AFTER ?`,
			fmt.Sprintf("invoice-%d", next), fmt.Sprintf(`{"number": %d, "customer": %q}`, next, customer), last)
		return err
	})
}
