// Package wasmhost is the sandbox: it loads script modules, runs each
// execution in a pair of instances that is fresh or proven equal to fresh, and
// reads the answer out of guest memory. It knows the contract in runtime/abi
// and nothing about the compiler.
//
// One execution goes like this:
//
//	turns     wait for a compute slot, clients in turns (turns.go)
//	pool      take an execution with its memory slot, wiped (pool.go)
//	pair      instantiate the guest library and the script on top of it, or
//	          put the pair that the slot keeps back into that state (pair.go)
//	inputs    write variables, body, query and form into guest memory (input.go)
//	run       call the script; refuel is the one brake on the way (fuel.go)
//	answer    append results, variables and logs to the JSON document (answer.go)
//	park      keep the pair for the same script, or close it; wipe the memory;
//	          give all back
//
// A module that our compiler did not make is metered when it is loaded, and
// takes the same way (foreign.go).
//
// A script can start children, each an execution of its own on a goroutine of
// its own; see family for what they share. Values go from memory to memory as
// copies: at the start into the child's, at its end into a buffer, so that the
// child is gone before its parent asks for the value.
//
// Invariants:
//
//   - Nothing of one execution is visible to the next: memory is wiped up to
//     its high-water mark, and a pair is kept only for its own script and only
//     when its whole state can be put back (see freshStateOf).
//   - Guest memory is hostile. Every offset, length, tag and text read from it
//     is checked; a wrong one ends in an internal error, never in a panic.
//   - A fuel cell is written only by the goroutine that runs the guest.
//   - Nobody waits for another with a compute slot in hand, and a run ends only
//     after its children.
//   - A guest computes for one slice at most before it gives the scheduler and
//     the garbage collector their turn.
package wasmhost
