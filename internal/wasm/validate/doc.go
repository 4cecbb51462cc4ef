// Package validate decides whether a module that anyone may have made is a
// valid module of WebAssembly 2.0 without vectors, within limits.
//
// Module is the one entrance. It goes through the input once, in order: the
// decoder stops at the first count beyond its bound, then what the sections say
// is checked, then each body on its own. Everything is refused where it stands,
// so that neither time nor memory depends on more than the bytes that were
// read.
//
// Bodies are checked as the appendix of the specification describes it: with a
// stack of types and a stack of open blocks. Both, and the instruction reader,
// are used again for the next body.
package validate
