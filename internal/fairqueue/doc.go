// Package fairqueue shares a number of slots out among clients: what computes,
// compiles or talks to somebody outside holds one.
//
// Each client has a line of its own, first come, first served, except that who
// finds a slot free in its client's turn need not wait until another one of the
// client is awake. Between the lines it goes in turns, so that a client waits for as many others as there
// are clients, however many of them a single one sends. A client that has had
// more turns than its share goes behind the others even if it was away for a
// moment; one that comes anew goes first, yet a stream of new clients does not
// keep those out that wait: each of them moves the time on by its part. Turns of
// different lengths are made equal by Charge.
//
// While nobody waits, a slot is taken and given back without a lock, unless a
// client can hold only some of the slots.
package fairqueue
