package guestgo

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/avapd/avapd/runtime/abi"
)

// abiPath is the only package that the sources may import.
const abiPath = "github.com/avapd/avapd/runtime/abi"

// program is a type-checked package.
type program struct {
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
	pkg   *types.Package
	errs  ErrorList

	// decls holds the functions to compile, order their order in the sources.
	decls map[*types.Func]*ast.FuncDecl
	order []*types.Func
	// hosts are the functions that the host provides.
	hosts map[*types.Func]abi.Import
}

func (p *program) errorf(pos token.Pos, format string, args ...any) {
	p.errs = append(p.errs, Error{p.fset.Position(pos), fmt.Sprintf(format, args...)})
}

// load parses and type-checks. Files named *_native.go give only the
// signatures of intrinsics and imports.
func load(files, constants []Source) (*program, error) {
	p := &program{
		fset:  token.NewFileSet(),
		decls: map[*types.Func]*ast.FuncDecl{},
		hosts: map[*types.Func]abi.Import{},
		info: &types.Info{
			Types:      map[ast.Expr]types.TypeAndValue{},
			Defs:       map[*ast.Ident]types.Object{},
			Uses:       map[*ast.Ident]types.Object{},
			Selections: map[*ast.SelectorExpr]*types.Selection{},
		},
	}
	imports := hostFunctions()
	var native []*ast.File
	for _, src := range files {
		file := p.parse(src)
		if file == nil {
			continue
		}
		if !strings.HasSuffix(src.Name, "_native.go") {
			p.files = append(p.files, file)
			continue
		}
		keepSignatures(file, imports)
		native = append(native, file)
	}
	if len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	consts, err := p.loadConstants(constants)
	if err != nil {
		return nil, err
	}
	config := types.Config{Importer: onlyImport{consts}, Error: p.typeError}
	p.pkg, _ = config.Check("guest", p.fset, slices.Concat(p.files, native), p.info)
	if len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	p.collect(native, imports)
	return p, nil
}

func (p *program) parse(src Source) *ast.File {
	file, err := parser.ParseFile(p.fset, src.Name, src.Text, parser.SkipObjectResolution)
	if list, ok := errors.AsType[scanner.ErrorList](err); ok {
		for _, e := range list {
			p.errs = append(p.errs, Error{e.Pos, e.Msg})
		}
		return nil
	}
	return file
}

func (p *program) typeError(err error) {
	if e, ok := errors.AsType[types.Error](err); ok {
		p.errorf(e.Pos, "%s", e.Msg)
	}
}

// loadConstants checks package abi. Its files that import something hold no
// constants and are left out.
func (p *program) loadConstants(sources []Source) (*types.Package, error) {
	var files []*ast.File
	for _, src := range sources {
		file := p.parse(src)
		if file != nil && len(file.Imports) == 0 {
			files = append(files, file)
		}
	}
	config := types.Config{Error: p.typeError}
	pkg, _ := config.Check(abiPath, p.fset, files, nil)
	if len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	return pkg, nil
}

type onlyImport struct{ abi *types.Package }

func (i onlyImport) Import(path string) (*types.Package, error) {
	if path != abiPath {
		return nil, fmt.Errorf("only %s may be imported", abiPath)
	}
	return i.abi, nil
}

// hostFunctions maps Go names to imports: float_digits is floatDigits.
func hostFunctions() map[string]abi.Import {
	m := map[string]abi.Import{}
	for _, imp := range abi.LibraryImports {
		words := strings.Split(imp.Field, "_")
		for i, w := range words[1:] {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
		m[strings.Join(words, "")] = imp
	}
	return m
}

// keepSignatures strips a native file down to the heads of the functions
// that exist outside.
func keepSignatures(file *ast.File, imports map[string]abi.Import) {
	kept := file.Decls[:0]
	for _, d := range file.Decls {
		fd, ok := d.(*ast.FuncDecl)
		if !ok || fd.Recv != nil {
			continue
		}
		_, host := imports[fd.Name.Name]
		_, known := intrinsics[fd.Name.Name]
		if host || known {
			fd.Body = nil
			kept = append(kept, fd)
		}
	}
	file.Decls = kept
	file.Imports = nil
}

// collect lists the functions to compile, and those of the host.
func (p *program) collect(native []*ast.File, imports map[string]abi.Import) {
	for _, file := range p.files {
		for _, d := range file.Decls {
			if fd, ok := d.(*ast.FuncDecl); ok {
				fn := p.info.Defs[fd.Name].(*types.Func)
				p.decls[fn] = fd
				p.order = append(p.order, fn)
			}
		}
	}
	for _, file := range native {
		for _, d := range file.Decls {
			fd := d.(*ast.FuncDecl)
			imp, ok := imports[fd.Name.Name]
			if !ok {
				continue
			}
			fn := p.info.Defs[fd.Name].(*types.Func)
			p.hosts[fn] = imp
			t := signature(fn.Signature())
			if !t.Equal(importType(imp)) {
				p.errorf(fd.Pos(), "%s has another signature in abi.LibraryImports", fd.Name.Name)
			}
		}
	}
}
