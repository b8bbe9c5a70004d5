package main

// openFileLimit has no answer on Windows, where memory is the limit.
func openFileLimit() (int64, bool) { return 0, false }
