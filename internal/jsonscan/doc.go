// Package jsonscan reads JSON texts (RFC 8259) in place, token by token. What comes
// with a request is mostly a few short members, for which a general decoder costs
// more to set up than to read them; it is asked only to word what is wrong.
package jsonscan
