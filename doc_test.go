package eventfold_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryExportedNameHasAComment holds that go doc has something to say about all that it shows.
// A group of constants, variables or fields is content with one comment, before it or behind each.
func TestEveryExportedNameHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			path := filepath.Join(p.Dir, name)
			f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
			require.NoError(t, err)
			if f.Name.Name == "main" {
				continue
			}
			for _, d := range f.Decls {
				for _, bare := range bareNames(d) {
					t.Errorf("%s: %s has no comment", fset.Position(bare.Pos()), bare.Name)
				}
			}
		}
	}
}

// bareNames are the exported names of a declaration that no comment speaks of.
func bareNames(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && receiverIsExported(d) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			names = append(names, bareSpec(d, spec)...)
		}
	}
	return names
}

// receiverIsExported tells whether a function is none of a type that go doc does not show.
func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	name, ok := of.(*ast.Ident)
	return ok && name.IsExported()
}

func bareSpec(d *ast.GenDecl, spec ast.Spec) (names []*ast.Ident) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if d.Doc == nil && spec.Doc == nil && spec.Name.IsExported() {
			names = append(names, spec.Name)
		}
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			if d.Doc == nil && spec.Doc == nil && spec.Comment == nil && name.IsExported() {
				names = append(names, name)
			}
		}
	}
	return names
}
