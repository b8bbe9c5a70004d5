package main

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/reeflective/readline"

	"github.com/eventfold/eventfold/parser"
)

// A completer finds what may stand at the cursor.
type completer struct {
	session *session
}

// A proposal is something that may stand there.
type proposal struct{ text, kind string }

const (
	completionTime = 500 * time.Millisecond // how long the store is asked
	mostProposals  = 200                    // of a kind
)

// complete returns what may stand between two texts, as the editor wants it.
func (c *completer) complete(before, behind string) readline.Completions {
	word, list := c.proposals(before, behind)
	raw := make([]readline.Completion, len(list))
	for i, p := range list {
		raw[i] = readline.Completion{Value: p.text, Display: safe(p.text), Tag: p.kind}
	}
	done := readline.CompleteRaw(raw)
	done.PREFIX = word
	return done
}

// proposals returns the word at the end of a text, and what it may become. behind is what stands
// there already, and tells which columns there are.
func (c *completer) proposals(before, behind string) (word string, list []proposal) {
	if isCommand(before) {
		return c.ofCommand(before)
	}
	seen := parser.Lexemes(before)
	word, seen = lastWord(before, seen)
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	switch {
	case strings.HasPrefix(word, "'"):
		list = c.ofText(ctx, before, seen)
	case tableExpected(before[:len(before)-len(word)]):
		list = c.tables(ctx, word)
	default:
		statement := statementAt(before+" "+behind, len(before))
		if of := ownerAt(before, seen); of != "" {
			list = c.columns(ctx, statement, of)
		} else {
			list = c.words(ctx, statement, word)
		}
	}
	return word, startingWith(list, word)
}

// lastWord returns the piece at the end of a text that is being typed, and those before it.
func lastWord(text string, seen []parser.Lexeme) (string, []parser.Lexeme) {
	n := len(seen) - 1
	if n < 0 || int(seen[n].End) != len(text) {
		return "", seen
	}
	run := n // the first of the pieces that may be a name such as order-1 together
	for run > 0 && seen[run-1].End == seen[run].Pos && !separates(text[seen[run-1].Pos:seen[run-1].End]) {
		run--
	}
	if !separates(text[seen[n].Pos:]) && tableExpected(text[:seen[run].Pos]) {
		return text[seen[run].Pos:], seen[:run]
	}
	switch seen[n].Kind {
	case parser.KeywordLexeme, parser.NameLexeme, parser.OpenLexeme:
		return text[seen[n].Pos:], seen[:n]
	}
	return "", seen
}

// ownerAt returns the name in front of a point at the end of a text, "" if there is none.
func ownerAt(text string, seen []parser.Lexeme) string {
	n := len(seen) - 1
	if n < 1 || text[seen[n].Pos:seen[n].End] != "." || seen[n-1].End != seen[n].Pos {
		return ""
	}
	return text[seen[n-1].Pos:seen[n-1].End]
}

// tableExpected reports whether a text ends where the name of a table is to come.
func tableExpected(text string) bool {
	_, open := statementAt(text, len(text)).tables()
	return open
}

// readsTable reports whether a table's name stands behind a piece.
func readsTable(text string, x parser.Lexeme) bool {
	return slices.Contains([]string{"FROM", "INTO", "JOIN", "EXPECT", "DESCRIBE"}, strings.ToUpper(text[x.Pos:x.End]))
}

// startingWith keeps what begins with a word, in whatever case, and is not the word itself.
func startingWith(list []proposal, word string) []proposal {
	return slices.DeleteFunc(list, func(p proposal) bool {
		return len(p.text) < len(word) || !strings.EqualFold(p.text[:len(word)], word) ||
			strings.IndexFunc(p.text, unicode.IsControl) >= 0
	})
}

// ofCommand completes a command of the shell.
func (c *completer) ofCommand(before string) (string, []proposal) {
	name, arg, behind := strings.Cut(strings.TrimLeft(before, " "), " ")
	var list []proposal
	switch {
	case !behind:
		for _, x := range directives {
			list = append(list, proposal{x.name, "commands"})
		}
		return name, startingWith(list, name)
	case name == ".mode":
		for _, f := range formats {
			list = append(list, proposal{f.name, "formats"})
		}
	case name == `\d`:
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		list = c.tables(ctx, arg)
	}
	return arg, startingWith(list, arg)
}

// ofText completes a text in quotes: a JSON path behind an arrow, a type or a stream elsewhere.
func (c *completer) ofText(ctx context.Context, before string, seen []parser.Lexeme) []proposal {
	column := ""
	for i := len(seen) - 1; i >= 0; i-- {
		text := before[seen[i].Pos:seen[i].End]
		if text == "->" || text == "->>" {
			return c.paths(ctx)
		}
		word := seen[i].Kind == parser.NameLexeme || seen[i].Kind == parser.KeywordLexeme
		if word && !slices.Contains([]string{"IN", "NOT", "LIKE"}, strings.ToUpper(text)) {
			column = strings.ToLower(text)
			break
		}
	}
	if column == "stream" {
		return inQuotes(c.ask(ctx, "streams", "SELECT stream FROM $streams LIMIT ?", mostProposals))
	}
	return inQuotes(c.ask(ctx, "types", "SELECT type FROM $types ORDER BY events DESC LIMIT ?", mostProposals))
}

func inQuotes(list []proposal) []proposal {
	for i := range list {
		list[i].text = "'" + strings.ReplaceAll(list[i].text, "'", "''") + "'"
	}
	return list
}

// element is an index of an array in a path.
var element = regexp.MustCompile(`\[\d+\]`)

// pathsSQL finds the paths in the last payloads.
const pathsSQL = `SELECT DISTINCT t.fullkey FROM (SELECT payload FROM $all ORDER BY position DESC LIMIT 200) AS e,
	json_tree(e.payload) AS t WHERE t.fullkey <> '$' LIMIT 2000`

func (c *completer) paths(ctx context.Context) []proposal {
	list := c.ask(ctx, "paths", pathsSQL)
	for i := range list {
		list[i].text = element.ReplaceAllString(list[i].text, "[*]")
	}
	slices.SortFunc(list, func(a, b proposal) int { return strings.Compare(a.text, b.text) })
	return inQuotes(slices.Compact(list))
}

// bare are names of streams that need no quotes.
var bare = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// tables are what a statement may read.
func (c *completer) tables(ctx context.Context, word string) []proposal {
	var list []proposal
	for _, name := range []string{
		"$all", "$streams", "$types", "$stats", "$erasures", "$followers", "$functions", "$views",
		"information_schema.tables",
	} {
		list = append(list, proposal{name, "tables"})
	}
	list = append(list, c.ask(ctx, "views", "SELECT 'views.' || name FROM $views LIMIT ?", mostProposals)...)
	prefix := strings.Trim(word, "\"`")
	streams := c.ask(ctx, "streams", "SELECT stream FROM $streams WHERE stream >= ? AND stream < ? LIMIT ?",
		prefix, prefix+"\U0010FFFF", mostProposals)
	for _, p := range streams {
		keyword := slices.Contains(parser.Keywords(), strings.ToUpper(p.text))
		if strings.HasPrefix(word, `"`) || !bare.MatchString(p.text) || keyword {
			p.text = quotedName(p.text)
		}
		list = append(list, p)
	}
	return list
}

// eventColumns are the columns of events.
var eventColumns = []string{
	"position", "stream", "version", "id", "type", "payload", "metadata", "tags", "recorded_at",
	"event", "redacted", "category",
}

// words are columns, functions and keywords; these in the case that the word is written in.
func (c *completer) words(ctx context.Context, s *statementPieces, word string) []proposal {
	list := c.columns(ctx, s, "")
	for _, p := range c.ask(ctx, "functions", "SELECT DISTINCT name FROM $functions ORDER BY name") {
		list = append(list, proposal{p.text + "(", p.kind})
	}
	lower := word != "" && word == strings.ToLower(word)
	for _, name := range parser.Keywords() {
		if lower {
			name = strings.ToLower(name)
		}
		list = append(list, proposal{name, "keywords"})
	}
	return list
}

// ask returns the first column of a query, nothing if it fails: then there is nothing to complete.
func (c *completer) ask(ctx context.Context, kind, text string, args ...any) (list []proposal) {
	rows, err := c.session.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil
	}
	for rows.Next() {
		values, err := scanRow(rows, len(columns))
		if err != nil {
			return list
		}
		list = append(list, proposal{textOf(values[0]), kind})
	}
	return list
}
