package docs

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pages are the documents whose names of Go are held against the code. CHANGELOG.md tells of names
// that are no more.
func pages(t *testing.T) (list []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" && e.Name() != "CHANGELOG.md" {
			list = append(list, path)
		}
		return err
	}))
	return list
}

// goNames are the names of the repository: of its files, of what each package declares, fields and
// methods as Type.Name, and of its tests.
type goNames struct {
	files    map[string]bool
	declared map[string]bool // "package.Name", "package.Type.Name"
	tests    []string
}

func readNames(t *testing.T) *goNames {
	t.Helper()
	n := &goNames{files: map[string]bool{}, declared: map[string]bool{}}
	require.NoError(t, filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		n.files[filepath.Base(path)] = true
		file, err := goparser.ParseFile(token.NewFileSet(), path, nil, goparser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			n.declaration(file.Name.Name, d)
		}
		return nil
	}))
	return n
}

func (n *goNames) declaration(pkg string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		n.declared[pkg+"."+receiver(d)+d.Name.Name] = true
		if strings.HasPrefix(d.Name.Name, "Test") || strings.HasPrefix(d.Name.Name, "Fuzz") {
			n.tests = append(n.tests, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					n.declared[pkg+"."+name.Name] = true
				}
			case *ast.TypeSpec:
				n.typ(pkg+"."+s.Name.Name, s.Type)
			}
		}
	}
}

// typ notes a type with its fields or methods.
func (n *goNames) typ(name string, of ast.Expr) {
	n.declared[name] = true
	var fields *ast.FieldList
	switch of := of.(type) {
	case *ast.StructType:
		fields = of.Fields
	case *ast.InterfaceType:
		fields = of.Methods
	default:
		return
	}
	for _, f := range fields.List {
		for _, field := range f.Names {
			n.declared[name+"."+field.Name] = true
		}
	}
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}

var (
	address = regexp.MustCompile(`https?://[^\s)]+`) // of a page, such as one of pkg.go.dev
	goFile  = regexp.MustCompile(`\b[a-z0-9_]+\.go\b`)
	goTest  = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z][A-Za-z0-9]+`)
	goName  = regexp.MustCompile(
		`\b(?:engine|filestore|eventfold|query|parser|enginetest)\.[A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?`)
	configName = regexp.MustCompile("`Config\\.[A-Z][A-Za-z]+")
)

// TestDocumentsNameWhatThereIs: a file, a test, a function, a type or a field that a document names
// is there. Of a test the beginning of its name will do, as it does for go test -run.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	names := readNames(t)
	found := 0
	for _, page := range pages(t) {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		text := address.ReplaceAllString(string(content), "")
		for _, name := range goFile.FindAllString(text, -1) {
			found++
			assert.True(t, names.files[name], "%s: there is no file %s", page, name)
		}
		list := goName.FindAllString(text, -1)
		for _, name := range configName.FindAllString(text, -1) {
			list = append(list, "eventfold."+name[1:])
		}
		for _, name := range list {
			found++
			assert.True(t, names.declared[name], "%s: there is no %s", page, name)
		}
		for _, name := range goTest.FindAllString(text, -1) {
			found++
			assert.True(t, names.isTest(name), "%s: there is no test %s", page, name)
		}
	}
	require.Greater(t, found, 50)
}

func (n *goNames) isTest(beginning string) bool {
	for _, name := range n.tests {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}
