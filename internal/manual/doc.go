// Package manual keeps the documents for script authors in step with the
// product: it writes their tables of commands, builtins and methods from the
// catalogue, and its tests execute every example in them.
//
// # Examples
//
// An example is a fenced block `avap`, followed by blocks that belong to it:
//
//	json request             the request: variables, query, body, form, limits, logs
//	json result [status=N]   the results (and the status, 200 unless said)
//	json variables           the variables at the end
//	json logs                the log; durations are written as 0
//	json answer              the whole answer
//
// A line that fails carries the comment `// error: MESSAGE`, at compile time
// or at run time; the block then needs no answer.
//
// `avap file=NAME` is a file that the next example may import.
// `avap needs=A,B` names commands without which the example cannot run. While
// one of them is missing from the catalogue, or the test provides nothing for
// its capability, the example is only parsed.
package manual
