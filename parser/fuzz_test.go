package parser

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzScan holds that the tokens are in the text and in order, that parentheses find each other,
// and that an error has its place in the text.
func FuzzScan(f *testing.F) {
	for _, text := range corpus() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		toks, err := scanForTest(text)
		if err != nil {
			checkError(t, text, err)
			return
		}
		last := Pos(0)
		for i, tok := range toks {
			if tok.off < last || tok.end < tok.off || int(tok.end) > len(text) {
				t.Fatalf("token %d is [%d, %d) behind %d", i, tok.off, tok.end, last)
			}
			last = tok.end
			if tok.is("(", ")") && toks[tok.mate].mate != i {
				t.Fatalf("parenthesis %d belongs to %d, which belongs to %d", i, tok.mate, toks[tok.mate].mate)
			}
		}
	})
}

func scanForTest(text string) (toks []token, err error) {
	defer func() { err = caught(recover(), text, err) }()
	toks, _, err = scan(text)
	return toks, err
}

func checkError(t *testing.T, text string, err error) {
	t.Helper()
	var syntax *SyntaxError
	switch {
	case !errors.As(err, &syntax):
		t.Fatalf("%T: %v", err, err)
	case syntax.Pos < 0 || int(syntax.Pos) > len(text) || syntax.Line < 1 || syntax.Column < 1:
		t.Fatalf("an error outside of the text: %+v", syntax)
	case strings.Contains(syntax.Msg, "internal error"):
		t.Fatal(err)
	}
}

// FuzzParse holds that there is no panic and no internal error, that nothing but carriers reaches
// sqlparser, that an error has its place in the text, and that a rendered tree parses into itself.
func FuzzParse(f *testing.F) {
	for _, text := range corpus() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := read(text, func(canonical string) {
			if piece := foreignPiece(canonical); piece != "" {
				t.Fatalf("%q reaches sqlparser in %s", piece, canonical)
			}
		})
		if err != nil {
			checkError(t, text, err)
		}
		parsed, err := Parse(text)
		if err != nil {
			checkError(t, text, err)
			return
		}
		rendered := renderStatement(parsed.Statement)
		again, err := Parse(rendered)
		if err != nil {
			if atLimit(err) {
				return // the parentheses and quotes of the rendering may exceed a limit that the text kept
			}
			t.Fatalf("%s\nrendered %s\n%v", text, rendered, err)
		}
		if twice := renderStatement(again.Statement); twice != rendered {
			t.Fatalf("%s\nrendered %s\nthen     %s", text, rendered, twice)
		}
	})
}

func atLimit(err error) bool {
	for _, limit := range []string{"more than 150 deep", "more than 100,000 tokens", "longer than 16 MiB"} {
		if strings.Contains(err.Error(), limit) {
			return true
		}
	}
	return false
}

// FuzzSplit holds that the statements of a script are parts of it, in order, and hold something.
func FuzzSplit(f *testing.F) {
	f.Add("SELECT 1; !")
	f.Add("SELECT 1; ; SELECT ';' -- ;\n; INSERT INTO a-b VALUES (1)")
	f.Fuzz(func(t *testing.T, script string) {
		statements, err := Split(script)
		if err != nil {
			checkError(t, script, err)
			return
		}
		rest := script
		for _, s := range statements {
			i := strings.Index(rest, s)
			if i < 0 || strings.TrimSpace(s) == "" {
				t.Fatalf("%q is not in %q", s, rest)
			}
			rest = rest[i+len(s):]
		}
	})
}

// TestTheSeedsHaveEveryWordOfTheGrammar: what no seed has, a fuzzer seldom finds.
func TestTheSeedsHaveEveryWordOfTheGrammar(t *testing.T) {
	grammar, err := os.ReadFile("GRAMMAR.md")
	require.NoError(t, err)
	seeds := map[string]bool{}
	for _, text := range corpus() {
		for _, word := range regexp.MustCompile(`[A-Z]+`).FindAllString(strings.ToUpper(text), -1) {
			seeds[word] = true
		}
	}
	words := regexp.MustCompile(`"([A-Z]+)"`).FindAllStringSubmatch(string(grammar), -1)
	require.Greater(t, len(words), 100)
	for _, word := range words {
		assert.True(t, seeds[word[1]], "no seed has the word %s", word[1])
	}
}
