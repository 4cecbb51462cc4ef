// Package meter puts the brakes into a module that our compiler did not make:
// what it computes is charged to a fuel cell, and how deep its calls nest is
// counted.
//
// The module must have been validated. What is added stands behind what was
// there: two globals, a few functions, the import of refuel. A validated module
// cannot name what did not exist when it was validated, so nothing it does
// reaches them.
//
// A basic block is charged where it begins, all of it at once: the prices of
// its instructions are in one table. Fuel is checked where control can come
// back to: at the heads of loops and at the entries of functions, in the shape
// that our own compiler uses. Instructions whose work depends on an operand are
// charged for it before they are carried out, in a function of ours. So the
// fuel of a run is the same on every engine.
//
// A function that calls others counts itself, and more the more locals it has,
// out of the calls that are left, and back when it is through. One that calls
// nobody does not.
package meter
