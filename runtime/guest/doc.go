// Package guest is the library that every compiled script runs on: value
// cells, arithmetic, text, lists, dicts, formatting, and the commands that
// need no host.
//
// It is written in restricted Go, so that the same files run natively under
// go test, -race and -fuzz, and are compiled to WebAssembly by
// internal/guestgo. The restrictions: fixed-size integers, float64, bool,
// named types over them with methods, and structs of those that never leave
// locals, parameters and results; no pointers, slices, maps, strings (except
// constants given to text), closures, goroutines, interfaces or defer.
// Memory is reached only through the functions in memory_native.go, which the
// compiler replaces by instructions. Files named *_native.go and *_test.go
// are not compiled to WebAssembly.
//
// A function whose name starts with a capital letter is exported to scripts.
// One that can fail returns a Value with a negative tag, or a negative int32,
// after the error cells were set by one of the fail functions. Fuel is charged
// by the compiler at every loop's head.
package guest
