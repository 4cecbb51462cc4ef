// Package oracle compares the language with Python, of which its expressions are a subset.
//
// There are two kinds of golden answers, both taken from Python 3.11 by way of python.py, which knows where the
// language differs from Python on purpose:
//
//   - testdata/oracle/tables holds single expressions by feature, one per line with its value behind `=>`;
//   - testdata/oracle/programs.jsonl holds programs that Generate made from seeds, with their results.
//
// The tests need no Python. `go test ./internal/oracle -update` takes all answers anew, and `-run TestFreshPrograms
// -duration 1m` compares programs from seeds that no file holds; both need python3.
package oracle
