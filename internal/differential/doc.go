// Package differential looks for programs on which engines disagree.
//
// A program is made from a seed (generate.go, and package oracle), evaluated by package reference, and run by the
// sandbox's compiler, its interpreter and V8, at every level of optimisation. Result, error, position and log must be the
// same in all, and fuel in all that run the module. A program that is not changes hands to the shrinker, which takes away
// what the disagreement does not need; what is left is a numbered file in testdata/differential, replayed for ever.
package differential
