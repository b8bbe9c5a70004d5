package main

import (
	"context"
	"fmt"
	"time"
)

// Dynamic price: an order is taken at the price that the customer saw, as long as that price is the
// current one or was the current one less than a grace period ago.

func (d *decider) setPrice(ctx context.Context, product string, price int) error {
	_, err := d.db.ExecContext(ctx, `INSERT INTO ? (type, payload, tags) VALUES ('PriceSet', ?, ?)`,
		"product-"+product, fmt.Sprintf(`{"price": %d}`, price), []string{"product:" + product})
	return err
}

func (d *decider) order(ctx context.Context, product, order string, seen int, grace time.Duration) error {
	tag := "product:" + product
	return d.decide(func() error {
		rows, err := d.db.QueryContext(ctx, `
			SELECT position, payload->>'$.price', recorded_at FROM $all
			WHERE type = 'PriceSet' AND HAS(tags, ?) ORDER BY position DESC`, tag)
		if err != nil {
			return err
		}
		defer rows.Close()
		last, valid := int64(-1), false
		replaced := time.Now() // when the price of the row was replaced by a newer one
		for rows.Next() {
			var position int64
			var price int
			var since time.Time
			if err := rows.Scan(&position, &price, &since); err != nil {
				return err
			}
			last = max(last, position)
			if price == seen && (position == last || time.Since(replaced) < grace) {
				valid = true
			}
			replaced = since
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if !valid {
			return refusal("the price is no longer valid")
		}
		_, err = d.db.ExecContext(ctx, `
			INSERT INTO ? (type, payload, tags) VALUES ('ProductOrdered', ?, ?)
			EXPECTING NO EVENT FROM $all WHERE type = 'PriceSet' AND HAS(tags, ?) AFTER ?`,
			"order-"+order, fmt.Sprintf(`{"price": %d}`, seen), []string{tag}, tag, last)
		return err
	})
}
