package engine

import "time"

// Event returns row i of a batch of which all columns were read ([ColAll]). What the event points
// to is the batch's.
func (b *Batch) Event(i int) Event {
	return Event{
		Position:   b.Positions[i],
		Stream:     b.Streams[i],
		Version:    b.Versions[i],
		ID:         b.IDs[i],
		Type:       b.Types[i],
		Payload:    b.Payloads[i],
		Metadata:   b.Metadata[i],
		Tags:       b.Tags[i],
		RecordedAt: time.UnixMicro(b.Times[i]).UTC(),
		JSON:       b.JSON[i],
		Redacted:   b.Redacted[i],
	}
}
