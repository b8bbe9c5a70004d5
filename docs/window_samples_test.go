package docs

import "testing"

// TestSamplesOfWindows runs the samples of frames, which have events of their own.
func TestSamplesOfWindows(t *testing.T) { runSamples(t, open(t), "sql windows") }
