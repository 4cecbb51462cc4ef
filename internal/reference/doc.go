// Package reference evaluates scripts by walking their tree, slowly and plainly.
//
// It is what the compiled form is compared with, so it shares nothing with it but the parser: values, numbers, text,
// errors, positions and the log are written here a second time, from the definition of the language, and from Python 3.11
// where that says "as in Python". It covers the language without HTTP, SQL, connectors and endpoints; the clock and the
// random source come with the request.
//
// Where the definition leaves something open, an outcome says so instead of guessing: the message of an error is Any
// wherever its wording is free, and Outcome.Open names what else a script has asked that nothing answers, such as the place
// of NaN in a sorted list.
package reference
