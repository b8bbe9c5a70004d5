package main

import "time"

// retry calls try until it succeeds, for half a minute at most.
func retry(try func() error) (err error) {
	for range 300 {
		if err = try(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
