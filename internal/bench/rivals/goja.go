package main

import (
	"fmt"

	"github.com/dop251/goja"
)

type javaScript struct {
	runtime *goja.Runtime
	kernels *goja.Object
}

func newGoja(program, rows string) (engine, error) {
	runtime := goja.New()
	if err := runtime.Set("ROWS", rows); err != nil {
		return nil, err
	}
	// The value of the last line is that of the program.
	value, err := runtime.RunString(program + "\nKERNELS;")
	if err != nil {
		return nil, err
	}
	return &javaScript{runtime, value.ToObject(runtime)}, nil
}

func (j *javaScript) run(kernel string) (int64, error) {
	f, ok := goja.AssertFunction(j.kernels.Get(kernel))
	if !ok {
		return 0, fmt.Errorf("there is no kernel %q", kernel)
	}
	value, err := f(goja.Undefined())
	if err != nil {
		return 0, err
	}
	return value.ToInteger(), nil
}
