// Package spectest reads the test suite of the WebAssembly specification,
// which lies in wazero's directory of the module cache, and runs its
// assertions. It is for tests only.
//
// A script of the suite is a list of commands: modules, calls into them with
// the results or traps that are expected, and modules that must be refused.
package spectest
