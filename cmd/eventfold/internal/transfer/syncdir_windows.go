package transfer

// syncDir does nothing: the system makes names durable by itself.
func syncDir(string) error { return nil }
