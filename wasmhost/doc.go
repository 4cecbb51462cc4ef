// Package wasmhost is the sandbox: it loads script modules, runs each
// execution in a fresh pair of instances, and reads the answer out of guest
// memory. It knows the contract in runtime/abi and nothing about the compiler.
//
// One execution goes like this:
//
//	Gate      wait for a compute slot, clients in turns
//	pool      take an execution with its memory slot, wiped
//	rt        instantiate the guest library, then the script on top of it
//	inputs    write variables, body, query and form into guest memory
//	run       call the script; refuel is the one brake on the way
//	outputs   append results, variables and logs to the JSON document
//	close     the script first, then rt; wipe the memory; give all back
//
// A script can start children, each an execution of its own on a goroutine of
// its own; see family for what they share. Values go from memory to memory as
// copies: at the start into the child's, at its end into a buffer, so that the
// child is gone before its parent asks for the value.
//
// Invariants:
//
//   - Nothing of one execution is visible to the next: instances are never
//     reused and memory is wiped up to its high-water mark.
//   - Guest memory is hostile. Every offset, length, tag and text read from it
//     is checked; a wrong one ends in an internal error, never in a panic.
//   - A fuel cell is written only by the goroutine that runs the guest.
//   - Nobody waits for another with a compute slot in hand, and a run ends only
//     after its children.
//   - A guest computes for one slice at most before it gives the scheduler and
//     the garbage collector their turn.
package wasmhost
