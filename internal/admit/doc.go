// Package admit is the gate for modules that this server's compiler did not
// make. Module is the one entrance, and policy.go the one place that says what
// such a module may import, export and do before it is asked.
//
// What comes out is valid, within limits, and follows the contract; it is not
// metered yet.
package admit
