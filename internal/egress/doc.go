// Package egress is the one way by which scripts reach other HTTP servers.
//
// A [Client] differs from an ordinary HTTP client in whom it trusts. The URL is
// written by a script, the name in it is answered by somebody's name server, and
// the redirect comes from a stranger, so none of them decides where a packet
// goes. An address does, and it is judged where nothing can change it any more:
//
//  1. The URL, and the target of each redirect, must be plain http or https
//     without user name or password. A host that some program could read as an
//     address must be one in its one canonical spelling (target.go).
//  2. Host name and port are looked up in the lists of the [Policy], if it has
//     any (policy.go).
//  3. The name is resolved once, each answer is judged, and the connection is
//     made to a judged answer, never to the name (dial.go).
//  4. The socket's own address is judged again between its creation and its
//     connect call. This is the check that counts; those before it give better
//     messages and save work.
//
// Every stage has a limit in bytes, in seconds or in number. Errors say to the
// script what its author can act on, and keep what the server knows, above all
// the addresses behind names, in the wrapped cause for the server's log.
package egress
