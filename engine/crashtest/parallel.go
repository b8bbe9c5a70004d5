package crashtest

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// parallel runs do for 0 to n-1 on all processors and returns the first error, with the number.
func parallel(n int, do func(i int) error) error {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // small stores come and go
	var next atomic.Int64
	var failed error
	var once sync.Once
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					once.Do(func() { failed = fmt.Errorf("number %d: %w", i, err) })
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	return failed
}
