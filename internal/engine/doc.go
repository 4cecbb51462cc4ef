// Package engine is the one way from a script's source to its answer. The
// server and the command line both go through it: look the script up in the
// cache or compile it, run it in a sandbox that waits for its turn to compute,
// give the answer.
//
// Everything that can queue is bounded: compiles by a number of workers and
// of scripts that wait for one, executions by compute slots and the length of
// their queue, compiled scripts by their size in memory.
package engine
