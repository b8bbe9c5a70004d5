package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatOthersHaveWrittenIsHarmless(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""}, {"plain é 世界 👩‍🚀", "plain é 世界 👩‍🚀"},
		{"a\x1b[2Jb", `a\x1b[2Jb`}, {"a\nb\tc\r", `a\nb\tc\r`}, {"\x7f\u009b1m", `\x7f\u009b1m`},
		{"\u202eevil\u2066", `\u202eevil\u2066`}, {"\xff\xfe", `\xff\xfe`}, {"\U000e0041", `\U000e0041`},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, safe(tt.text), "%q", tt.text)
	}
	assert.Equal(t, "a\n\t\\x1b", safeLines("a\n\t\x1b"))
}

func TestJSONKeepsWhatItMeansAndIsHarmless(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{nil, "null"}, {int64(-1), "-1"}, {1.0, "1.0"}, {1e300, "1e+300"}, {true, "true"},
		{"a\"\\\n\x1b\u202e", `"a\"\\\n\u001b\u202e"`}, {"\xff", "\"\ufffd\""}, {"\U000e0041", `"\udb40\udc41"`},
		{[]byte(` {"a" : [1, 2.50, "x\u0000 \" y"] } `), `{"a":[1,2.50,"x\u0000 \" y"]}`},
		{[]byte("\"\u009b\x7f\""), `"\u009b\u007f"`},
		{[]byte("no {json"), `"no {json"`}, {[]byte{0xff, 0}, `{"base64":"/wA="}`},
		{time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), `"2026-01-02T03:04:05.000006Z"`},
	}
	for _, tt := range tests {
		got := appendJSON(nil, tt.value)
		assert.Equal(t, tt.want, string(got))
		assert.True(t, json.Valid(got), "%s", got)
	}
}

func TestTextsAreShortenedByWhatIsSeen(t *testing.T) {
	assert.Equal(t, "abc", shorten("abc", 3))
	assert.Equal(t, "ab…", shorten("abcd", 3))
	assert.Equal(t, "世…", shorten("世界世", 4))
	assert.Equal(t, "世界", shorten("世界", 4))
	assert.Equal(t, 4, widthOf("世界"))
}

func TestColumnsAreMadeToFit(t *testing.T) {
	tests := []struct {
		widths []int
		room   int
		want   []int
	}{
		{[]int{5, 5}, 20, []int{5, 5}},
		{[]int{5, 50}, 20, []int{5, 15}},
		{[]int{40, 50, 3}, 43, []int{20, 20, 3}},
		{[]int{30, 30}, 4, []int{6, 6}},
	}
	for _, tt := range tests {
		fit(tt.widths, tt.room)
		assert.Equal(t, tt.want, tt.widths)
	}
}

func TestATableKeepsOnlyAWindowOfRows(t *testing.T) {
	var out bytes.Buffer
	o := openOutput(newConsole(&out, &out), formatOf("table"), false)
	w := newTable(o).(*table)
	require.NoError(t, w.begin([]column{{"n", "BIGINT"}, {"text", "TEXT"}}))
	for n := range 2 * windowRows {
		require.NoError(t, w.row([]any{int64(n), strings.Repeat("x", n%70)}))
		require.Less(t, len(w.waiting), windowRows)
	}
	require.NoError(t, w.end(false))
	require.NoError(t, o.close())
	assert.Contains(t, out.String(), "(1,000 rows)")
	big := newTable(o).(*table)
	require.NoError(t, big.begin([]column{{"text", "TEXT"}}))
	for range 5 {
		require.NoError(t, big.row([]any{strings.Repeat("x", 1<<20)}))
	}
	assert.Less(t, len(big.waiting), 5, "bytes count, too")
}

func TestAProgressTellsRateAndTimeLeft(t *testing.T) {
	p := &progress{what: "verify", unit: "events"}
	assert.Equal(t, "verify  3 s", p.line(3*time.Second))
	p.set(3000)
	assert.Equal(t, "verify  3,000 events  1,000 events/s  3 s", p.line(3*time.Second))
	p.total(6000)
	assert.Equal(t, "verify  50%  3,000 of 6,000 events  1,000 events/s  3 s left", p.line(3*time.Second))
	p.unit = unitBytes
	p.total(3 << 30)
	p.set(1 << 30)
	assert.Equal(t, "verify  33%  1.0 GiB of 3.0 GiB  8.5 MiB/s  4 min 0 s left", p.line(2*time.Minute))
	p = &progress{what: "erase", unit: "files"}
	p.total(5)
	p.set(2)
	assert.Equal(t, "erase  40%  2 of 5 files  30 s left", p.line(20*time.Second), "less than one a second")
	assert.Equal(t, "3 h 12 min", shortDuration(3*time.Hour+12*time.Minute))
}

// What comes from a file is known by its size, not by the number of what is in it.
func TestAProgressTellsTheShareOfAnInput(t *testing.T) {
	p := &progress{what: "import", unit: "events"}
	p.input.Store(4000)
	assert.Equal(t, "import  3 s", p.line(3*time.Second))
	p.read.Store(1000)
	assert.Equal(t, "import  25%  9 s left", p.line(3*time.Second), "nothing is whole yet")
	p.set(3000)
	assert.Equal(t, "import  25%  3,000 events  1,000 events/s  9 s left", p.line(3*time.Second))
	p.read.Store(4001) // the file grows
	assert.Equal(t, "import  100%  3,000 events  1,000 events/s  0 s left", p.line(3*time.Second))
}

func TestAProgressIsShownAndTakenAway(t *testing.T) {
	var out bytes.Buffer
	p := &progress{what: "copy", screen: &out, began: time.Now(), stop: make(chan struct{}), stopped: make(chan struct{})}
	p.add(7)
	go p.show(0) // ended by end
	require.Eventually(t, func() bool { return p.shown.Load() }, time.Minute, time.Millisecond)
	p.end()
	p.end()
	assert.True(t, strings.HasPrefix(out.String(), "\r\x1b[Kcopy  7"), "%q", out.String())
	assert.True(t, strings.HasSuffix(out.String(), "\r\x1b[K"), "%q", out.String())
}

func TestWhatIsLostIsSaidWithItsPlaceWhereThatIsKnown(t *testing.T) {
	assert.Equal(t, "lost: position 157", lostEvents{From: 157, To: 158}.String())
	assert.Equal(t, "lost: positions 3 to 7, 000000000001.log from byte 4096 on",
		lostEvents{From: 3, To: 8, File: "000000000001.log", Offset: 4096}.String())
}
