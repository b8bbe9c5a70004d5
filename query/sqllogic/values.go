package sqllogic

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// texts writes rows as the types, a letter a column, ask for.
func texts(rows [][]any, types string) [][]string {
	list := make([][]string, len(rows))
	for k, row := range rows {
		list[k] = make([]string, len(row))
		for i, v := range row {
			list[k][i] = text(v, types[i])
		}
	}
	return list
}

func text(v any, kind byte) string {
	if v == nil {
		return "NULL"
	}
	switch kind {
	case 'I':
		return strconv.FormatInt(integer(v), 10)
	case 'R':
		return fmt.Sprintf("%.3f", real(v))
	}
	s := plain(v)
	if s == "" {
		return "(empty)"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '@'
		}
		return r
	}, s)
}

// plain writes a value as SQLite does.
func plain(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case float64:
		s := strconv.FormatFloat(v, 'g', 15, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	}
	return fmt.Sprint(v)
}

var number = regexp.MustCompile(`^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?`)

// real is the number that a value begins with, 0 if it begins with none.
func real(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	f, _ := strconv.ParseFloat(strings.TrimSpace(number.FindString(plain(v))), 64)
	return f
}

func integer(v any) int64 {
	if n, ok := v.(int64); ok {
		return n
	}
	return int64(real(v))
}

// arrange puts the values one after the other, in the order that the record asks for.
func arrange(rows [][]string, order string) []string {
	if order == "rowsort" {
		sort.SliceStable(rows, func(i, j int) bool { return slices.Compare(rows[i], rows[j]) < 0 })
	}
	var list []string
	for _, row := range rows {
		list = append(list, row...)
	}
	if order == "valuesort" {
		sort.Strings(list)
	}
	return list
}

func hashOf(values []string) string {
	h := md5.New()
	for _, v := range values {
		io.WriteString(h, v+"\n")
	}
	return fmt.Sprintf("%d values hashing to %s", len(values), hex.EncodeToString(h.Sum(nil)))
}
