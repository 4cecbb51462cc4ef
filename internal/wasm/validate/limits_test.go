package validate

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/wasm"
)

var (
	i32     = []wasm.ValType{wasm.I32}
	takesIt = wasm.FuncType{Params: i32, Results: i32}
)

// small is a module that has some of everything that a limit counts.
func small() []byte {
	m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: 1}}}
	counter := m.NewGlobal("counter", wasm.I32, 0)
	f := m.NewFunc("f", takesIt)
	outer := f.Block()
	inner := f.Loop()
	f.LocalGet(f.Param(0))
	f.BrTable([]wasm.Label{outer, inner}, outer)
	f.End()
	f.End()
	f.LocalGet(f.Param(0))
	f.GlobalGet(counter)
	f.Call(f)
	f.Op(wasm.OpI32Add)
	return m.Encode()
}

// TestLimits takes one thing too many of each kind. The bounds of the decoder
// have a test beside it.
func TestLimits(t *testing.T) {
	binary := small()
	enough := Limits{Bounds: wasm.MaxBounds, MutableGlobals: 1, Instructions: 11, Branches: 8, BranchTargets: 2, Nesting: 2, StackHeight: 2}
	// Eight branches, one local, and one call with one mutable global.
	enough.CompileWork = 8*(4*8+32) + 1 + 64
	if _, err := Module(binary, enough); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(l *Limits)
		want   string
	}{
		{func(l *Limits) { l.MutableGlobals-- }, "1 mutable globals"},
		{func(l *Limits) { l.Instructions-- }, "more than 10 instructions"},
		{func(l *Limits) { l.Branches-- }, "more than 7 branches"},
		{func(l *Limits) { l.BranchTargets-- }, "a br_table of 2 targets"},
		{func(l *Limits) { l.Nesting-- }, "nested more than 1 deep"},
		{func(l *Limits) { l.StackHeight-- }, "more than 1 operands"},
		{func(l *Limits) { l.CompileWork-- }, "too much work to compile"},
		{func(l *Limits) { l.ModuleBytes = 10 }, "bytes of a module"},
	} {
		limits := enough
		c.change(&limits)
		_, err := Module(binary, limits)
		var refused *wasm.Error
		if !errors.As(err, &refused) || refused.Reason != wasm.TooLarge || !strings.Contains(refused.Message, c.want) {
			t.Errorf("%s: got %v", c.want, err)
		}
	}
}

// TestDefaultLimits checks that every limit is set, and none beyond its
// maximum.
func TestDefaultLimits(t *testing.T) {
	var compare func(name string, value, most reflect.Value)
	compare = func(name string, value, most reflect.Value) {
		if value.Kind() == reflect.Struct {
			for i := range value.NumField() {
				compare(value.Type().Field(i).Name, value.Field(i), most.Field(i))
			}
			return
		}
		if value.Int() <= 0 || value.Int() > most.Int() {
			t.Errorf("%s is %d, the maximum %d", name, value.Int(), most.Int())
		}
	}
	compare("", reflect.ValueOf(Default), reflect.ValueOf(Max))
}

// TestAllocations has a thousand functions validated with little more than
// their sections take.
func TestAllocations(t *testing.T) {
	m := &wasm.Module{}
	for range 1000 {
		f := m.NewFunc("", takesIt)
		f.Block()
		f.LocalGet(f.Param(0))
		f.BrIf(0)
		f.End()
		f.LocalGet(f.NewLocal(wasm.I32))
	}
	binary := m.Encode()
	decoded := testing.AllocsPerRun(5, func() {
		if _, err := wasm.Decode(binary); err != nil {
			t.Fatal(err)
		}
	})
	all := testing.AllocsPerRun(5, func() {
		if _, err := Module(binary, Default); err != nil {
			t.Fatal(err)
		}
	})
	if all-decoded > 50 {
		t.Errorf("%v allocations, %v of them to decode", all, decoded)
	}
}
