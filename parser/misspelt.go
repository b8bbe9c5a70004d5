package parser

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// EditDistance is the number of letters to add, drop or change to make b of a. Two neighbours that
// have changed places count as one.
func EditDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// confusions are words that people write for keywords that they do not resemble enough.
var confusions = map[string][]string{
	"EXPECTED":    {"EXPECTING"},
	"EXPECTS":     {"EXPECTING"},
	"EXPECT":      {"EXPECTING"},
	"EXPECTATION": {"EXPECTING"},
	"GROUPBY":     {"GROUP BY"},
	"ORDERBY":     {"ORDER BY"},
	"RETURNS":     {"RETURNING"},
	"FOLLOWING":   {"FOLLOW"},
	"SUBSCRIBE":   {"FOLLOW"},
	"TAIL":        {"FOLLOW"},
}

// namesOfOthers are reserved words that people use as names.
var namesOfOthers = []string{
	"ORDER", "GROUP", "LIMIT", "DEFAULT", "LEFT", "RIGHT", "FULL", "VALUES", "CROSS", "INNER",
	"OUTER", "NATURAL",
}

// maxCorrected is the length of the longest text that is read again to find out what was meant, in
// bytes.
const maxCorrected = 64 << 10

// correct looks for a word near the place of an error that is a keyword but for a letter or two, or
// else for a name that needs quotes. What it suggests is expected at that place: with the word
// replaced the text can be read, or further than without. The error then tells of that word.
func correct(e *SyntaxError) {
	hinted := e.Hint != "" && e.Hint != foreignWords["FOLLOW"]
	if !e.surprise || hinted || len(e.Text) > maxCorrected {
		return
	}
	toks := tokensOf(e.Text)
	at := slices.IndexFunc(toks, func(t token) bool { return t.off >= e.Pos })
	if at < 0 {
		return
	}
	places := []int{at, at - 1, at + 1, at - 2}
	if toks[at].kind != tokWord {
		places = []int{at - 1, at - 2}
	}
	for _, mend := range []func(toks []token, i int) []string{spellings, quotations} {
		for _, i := range places {
			if i >= 0 && i < len(toks) && toks[i].kind == tokWord &&
				e.mend(&toks[i], mend(toks, i)) {
				return
			}
		}
	}
}

// mend makes the error tell of the token if one of the words in its place helps.
func (e *SyntaxError) mend(t *token, words []string) bool {
	for _, word := range words {
		if !e.mendedBy(t, word) {
			continue
		}
		e.Pos = t.off
		e.Line, e.Column = Locate(e.Text, e.Pos)
		if e.Hint = "write " + word; word[0] == '"' {
			e.Hint = strings.ToUpper(t.text) + " is a reserved word; as a name write " + word
		}
		if written := quoteText(e.Text, t); !strings.Contains(e.Msg, written) {
			e.Msg = "syntax error at " + written
		}
		return true
	}
	return false
}

// mendedBy reports whether the text can be read, or further than to the error and the word, if word
// stands in the place of the token.
func (e *SyntaxError) mendedBy(t *token, word string) bool {
	_, err := parse(e.Text[:t.off] + word + e.Text[t.end:])
	again, failed := err.(*SyntaxError)
	if !failed {
		return err == nil
	}
	beyond := again.Pos - t.off - Pos(len(word)) // behind the word
	return again.Hint == "" && beyond >= 0 && t.end+beyond > max(e.Pos, t.end)
}

// tokensOf returns the tokens of a text, none if it cannot be cut into tokens.
func tokensOf(text string) []token {
	toks, _, err := scan(text)
	if err != nil {
		return nil
	}
	return toks
}

// quotations are how a reserved word is written that is meant as a name, none if it is not.
func quotations(toks []token, i int) []string {
	t := &toks[i]
	// what it begins
	named := i > 0 && toks[i-1].is("FROM", "INTO", "JOIN", "EXPECT", "DESCRIBE", "DESC")
	missing := toks[i+1].kind == tokEnd && !named // what it begins
	if !t.reserved() || missing || !slices.Contains(namesOfOthers, t.key) {
		return nil
	}
	return []string{`"` + t.text + `"`}
}

// spellings are keywords that may have been meant by a word that is none, the likeliest first.
func spellings(toks []token, i int) []string {
	word := strings.ToUpper(toks[i].text)
	list := slices.Clone(confusions[word])
	if toks[i].key != "" || len(word) < 2 || len(word) > longestKeyword+2 ||
		strings.ContainsRune(word, '$') {
		return list
	}
	near := map[string]int{}
	for key := range keywords {
		most := 2
		if min(len(word), len(key)) < 4 {
			most = 1
		}
		if d := EditDistance(word, key); d > 0 && d <= most && d < len(key) {
			near[key] = d
		}
	}
	keys := slices.SortedFunc(maps.Keys(near), func(a, b string) int {
		return cmp.Or(cmp.Compare(near[a], near[b]), strings.Compare(a, b))
	})
	return append(list, keys...)
}

func quoteText(text string, t *token) string {
	return (&parser{text: text, toks: []token{*t}}).quote(0)
}
