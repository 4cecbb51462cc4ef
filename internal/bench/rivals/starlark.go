package main

import (
	"fmt"

	starlarkjson "go.starlark.net/lib/json"
	starlarkmath "go.starlark.net/lib/math"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

type starlarkProgram struct{ kernels *starlark.Dict }

func newStarlark(program, rows string) (engine, error) {
	globals, err := starlark.ExecFileOptions(
		&syntax.FileOptions{While: true, Recursion: true}, new(starlark.Thread), "kernels.star", program,
		starlark.StringDict{"ROWS": starlark.String(rows), "json": starlarkjson.Module, "math": starlarkmath.Module},
	)
	if err != nil {
		return nil, err
	}
	kernels, ok := globals["KERNELS"].(*starlark.Dict)
	if !ok {
		return nil, fmt.Errorf("KERNELS is no dict")
	}
	return &starlarkProgram{kernels}, nil
}

func (s *starlarkProgram) run(kernel string) (int64, error) {
	f, ok, err := s.kernels.Get(starlark.String(kernel))
	if err != nil || !ok {
		return 0, fmt.Errorf("there is no kernel %q", kernel)
	}
	value, err := starlark.Call(new(starlark.Thread), f, nil, nil)
	if err != nil {
		return 0, err
	}
	return starlarkInt(value)
}

func starlarkInt(value starlark.Value) (int64, error) {
	i, ok := value.(starlark.Int)
	if !ok {
		return 0, fmt.Errorf("%s is no integer", value)
	}
	n, ok := i.Int64()
	if !ok {
		return 0, fmt.Errorf("%s has more than 64 bits", value)
	}
	return n, nil
}
