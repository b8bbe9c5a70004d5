package filestore

import (
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOptionsThatCannotBe(t *testing.T) {
	tests := []struct {
		field   string
		options Options
	}{
		{"MaxEventSize", Options{MaxEventSize: engine.MinEventLimit - 1}},
		{"MaxEventSize", Options{MaxEventSize: engine.MaxEventLimit + 1}},
		{"SegmentSize", Options{SegmentSize: format.MinSegmentSize - 1}},
		{"SegmentSize", Options{SegmentSize: format.MaxSegmentSize + 1}},
		{"SegmentSize", Options{SegmentSize: -1}},
		{"QueueLength", Options{QueueLength: -1}},
		{"SyncInterval", Options{SyncInterval: -1}},
		{"Options", Options{Sync: 9}},
		{"Options", Options{Prealloc: 9}},
		{"Options", Options{Compress: 9}},
	}
	for _, tt := range tests {
		_, err := Open(t.TempDir(), tt.options)
		var invalid *engine.InvalidError
		require.ErrorAs(t, err, &invalid, "%+v", tt.options)
		assert.Equal(t, tt.field, invalid.Field)
	}
}
