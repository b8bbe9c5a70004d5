package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A directive is something that the shell can be told beside SQL.
type directive struct {
	name, args, usage string
	run               func(ctx context.Context, sh *shell, arg string) error
}

// directives are those that there are; .help lists them in this order.
var directives []directive

func init() { // because .help is one of them
	directives = []directive{
		{`\d`, "[NAME]", "list the tables, or the columns of one", describe},
		{".mode", "[FORMAT]", "write rows as " + formatNames(), setMode},
		{".timer", "on|off", "tell how long each statement takes", setTimer},
		{".maxrows", "N", "show at most so many rows of a result; 0 is all", setMaxRows},
		{".once", "FILE", "write the next result to a file", setOnce},
		{".read", "FILE", "run the statements of a file", readFile},
		{".help", "", "tell this", help},
		{".quit", "", "leave the shell; Ctrl-D does, too", quit},
	}
}

// shortNames are what people type for commands out of habit.
var shortNames = map[string]string{
	`\q`: ".quit", ".exit": ".quit", `\?`: ".help", `\h`: ".help", `\i`: ".read", `\timing`: ".timer",
	".tables": `\d`, ".schema": `\d`, `\dt`: `\d`, `\o`: ".once",
}

// command runs a command of the shell. A semicolon behind it does no harm.
func (sh *shell) command(ctx context.Context, text string) error {
	name, arg, _ := directiveOf(text)
	for _, c := range directives {
		if c.name == name {
			return c.run(ctx, sh, arg)
		}
	}
	return usage("there is no command %s; .help tells what there is", name)
}

// directiveOf returns the full name and the argument of a command; ok is false if the entry is none.
func directiveOf(text string) (name, arg string, ok bool) {
	if !isCommand(text) {
		return "", "", false
	}
	name, arg, _ = strings.Cut(strings.TrimRight(strings.TrimSpace(text), "; "), " ")
	if long, ok := shortNames[name]; ok {
		name = long
	}
	return name, strings.TrimSpace(arg), true
}

// describe lists the tables, or the columns of one.
func describe(ctx context.Context, sh *shell, name string) error {
	text := "SHOW TABLES"
	if name != "" {
		text = "DESCRIBE " + tableName(name)
	}
	return sh.enter(ctx, text)
}

// tableName writes a name as SQL wants it, unless it is written so already.
func tableName(name string) string {
	if strings.HasPrefix(name, `"`) || strings.HasPrefix(name, "`") || strings.HasPrefix(name, "$") ||
		strings.HasPrefix(name, "views.") || strings.HasPrefix(name, "information_schema.") {
		return name
	}
	return quotedName(name)
}

func quotedName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func setMode(_ context.Context, sh *shell, arg string) error {
	if arg == "" {
		_, err := fmt.Fprintln(sh.console.out, formats[sh.format].name)
		return err
	}
	format := formatOf(arg)
	if format < 0 {
		return usage("there is no format %q; the formats are %s", arg, formatNames())
	}
	sh.format = format
	return nil
}

func setTimer(_ context.Context, sh *shell, arg string) error {
	switch arg {
	case "on", "off":
		sh.timer = arg == "on"
	case "":
		sh.timer = !sh.timer
	default:
		return usage("say .timer on, or .timer off")
	}
	return nil
}

func setMaxRows(_ context.Context, sh *shell, arg string) error {
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || n < 0 {
		return usage("say how many rows, such as .maxrows 100; 0 is all")
	}
	sh.maxRows = n
	return nil
}

func setOnce(_ context.Context, sh *shell, arg string) error {
	if arg == "" {
		return usage("name the file: .once rows.csv")
	}
	sh.once = arg
	return nil
}

// deepest is how many files may read each other.
const deepest = 10

func readFile(ctx context.Context, sh *shell, arg string) error {
	if arg == "" {
		return usage("name the file: .read statements.sql")
	}
	if sh.depth == deepest {
		return fmt.Errorf("%s is read by %d files that read each other", arg, deepest)
	}
	f, err := openInput(ctx, arg)
	if err != nil {
		return err
	}
	defer f.Close()
	sh.depth++
	defer func() { sh.depth-- }()
	return sh.readFrom(ctx, f)
}

// readFrom runs entries of a file or a pipe, until one fails. What stands at the end without a
// semicolon is run as well.
func (sh *shell) readFrom(ctx context.Context, in io.Reader) error {
	lines := bufio.NewReader(in)
	var pending entry
	for !sh.done {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !pending.add(line) && err == nil {
			continue
		}
		if failed := sh.enter(ctx, pending.take()); failed != nil {
			return errors.Join(failed, sh.lookBehind(lines, failed))
		}
		if err != nil { // the end
			return nil
		}
	}
	return nil
}

// lookBehind reads what is behind the entry that has failed, as far as it takes to know whether
// statements are left, if halfWay is to tell that.
func (sh *shell) lookBehind(lines *bufio.Reader, failed error) error {
	s := sh.session
	if sh.left || !s.write || s.open.Load() || !sh.console.unread(failed) {
		return nil
	}
	var pending entry
	for {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if pending.add(line) || err != nil {
			text := pending.take()
			if ends(text) {
				return nil
			}
			sh.left = runsStatements(text)
		}
		if sh.left || err != nil {
			return nil
		}
	}
}

// runsStatements reports whether an entry holds statements, or is a command that runs those of a file.
func runsStatements(text string) bool {
	if name, _, ok := directiveOf(text); ok {
		return name == ".read"
	}
	list, _ := splitScript(text)
	return len(list) > 0
}

// ends reports whether an entry is the command behind which nothing is run.
func ends(text string) bool {
	name, _, ok := directiveOf(text)
	return ok && name == ".quit"
}

func help(_ context.Context, sh *shell, _ string) error {
	var b strings.Builder
	b.WriteString("A statement is run when its semicolon is there. Besides there are:\n")
	for _, c := range directives {
		fmt.Fprintf(&b, "  %-16s %s\n", strings.TrimSpace(c.name+" "+c.args), c.usage)
	}
	_, err := io.WriteString(sh.console.out, b.String())
	return err
}

func quit(_ context.Context, sh *shell, _ string) error {
	sh.done = true
	return nil
}
