package main

func (j job) limits() ([]result, error) {
	sync, err := measureSync(j.Dir, j.Each)
	if err != nil {
		return nil, err
	}
	rows, err := measureRows(min(j.Events, 500_000))
	if err != nil {
		return nil, err
	}
	events, err := measureEvents(2 * j.Events)
	if err != nil {
		return nil, err
	}
	short, err := measureShortQueries(j.Each / 4)
	if err != nil {
		return nil, err
	}
	return []result{
		{Metric: "sync", Value: sync},
		{Metric: "memcpy", Value: measureBytes(j.Each/4, func(src, dst []byte) { copy(dst, src) })},
		{Metric: "crc32c", Value: measureBytes(j.Each/4, func(src, _ []byte) { sink += uint64(crc32Of(src)) })},
		{Metric: "checksums", Value: measureChecksums(j.Each/4) / 1e6},
		{Metric: "records", Value: measureRecords(j.Each/4, min(j.Events, 100_000))},
		{Metric: "rows", Value: rows},
		{Metric: "events", Value: events},
		{Metric: "short queries", Value: short},
	}, nil
}
