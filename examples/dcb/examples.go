package main

import (
	"context"
	"fmt"
	"time"
)

// The five examples, each with writers that compete for the same thing.
var examples = []struct {
	name string
	run  func(ctx context.Context, d *decider) (granted, refused int, err error)
}{
	{"course subscriptions", func(ctx context.Context, d *decider) (int, int, error) {
		if err := d.defineCourse(ctx, "go", 10); err != nil {
			return 0, 0, err
		}
		return compete(func(w int) error { return d.subscribe(ctx, fmt.Sprint("student-", w), "go") })
	}},
	{"unique username", func(ctx context.Context, d *decider) (int, int, error) {
		return compete(func(w int) error { return d.register(ctx, fmt.Sprint(w), "ada") })
	}},
	{"dynamic price", func(ctx context.Context, d *decider) (int, int, error) {
		if err := d.setPrice(ctx, "tea", 10); err != nil {
			return 0, 0, err
		}
		return compete(func(w int) error {
			if w == 0 {
				return d.setPrice(ctx, "tea", 12)
			}
			return d.order(ctx, "tea", fmt.Sprint(w), 10, time.Hour)
		})
	}},
	{"invoice numbers", func(ctx context.Context, d *decider) (int, int, error) {
		return compete(func(w int) error { return d.invoice(ctx, fmt.Sprint(w)) })
	}},
	{"opt-in token", func(ctx context.Context, d *decider) (int, int, error) {
		if err := d.signUp(ctx, "ada@example.com", "x7"); err != nil {
			return 0, 0, err
		}
		return compete(func(int) error { return d.confirm(ctx, "ada@example.com", "x7", time.Hour) })
	}},
}
