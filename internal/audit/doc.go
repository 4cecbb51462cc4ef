// Package audit keeps the record of what a server did: each execution, each
// change, who was refused, and when it began and ended.
//
// The log of a server is a chain that is only ever added to. What follows
// defines its bytes, so that anybody can write another verifier.
//
// # Bytes
//
// A number is an unsigned LEB128, as WebAssembly has it, in the fewest bytes. A
// text is the number of its bytes and these, which are UTF-8; bytes are written
// likewise. The body of a record is
//
//	number  1, the version of this form
//	number  sequence: 1 for the first record of a chain, 2 for the next
//	number  time, in microseconds since 1970-01-01T00:00:00Z; never less than
//	        that of the record before
//	text    kind: execution, change, start, stop, reload or denied
//	text    principal: who
//	text    address of the client: IPv4, or IPv6 as RFC 5952 has it, or empty
//	text    request_id
//	bytes   execution_id: 16, or none
//	bytes   trace_id: 16, or none
//	text    action
//	text    target: a command, an app, the name of a signer …
//	number  version of a command, 0 for none
//	bytes   digest of what was executed or changed: SHA-256, or none
//	number  how many capabilities follow
//	text    … each of them
//	text    outcome
//	number  status of HTTP, 0 for none
//	text    code of the failure; empty for success
//	number  fuel
//	number  memory_bytes
//	number  duration_us, in microseconds
//	bytes   input_digest: SHA-256, or none
//	text    input, where the server was told to keep it
//	text    detail
//	number  count of events that the record stands for
//
// A chain belongs to an Ed25519 key. Its hashes are
//
//	hash(0) = SHA-256("avap audit chain 1\n" ‖ the 32 bytes of the public key)
//	hash(n) = SHA-256(hash(n-1) ‖ body of record n)
//
// and its name, the node, is the first 8 bytes of hash(0) in hexadecimal
// digits.
//
// # Blocks
//
// In a journal the records that were written together are a block. It says of each
// what is not as in the one before it:
//
//	number  0
//	number  sequence of the first record; the others follow without a gap
//
// and for each record
//
//	number  time that has passed since the record before; for the first one, its
//	        time
//	number  a bit for each member of the body from kind on, kind being the lowest
//	        one and all capabilities with their number being one: whether the member
//	        is another one than that of the record before; for the first record, 1
//	…       these members, as the body has them
//	        the 32 bytes of hash(n)
//
// Older blocks begin with another number. They are one record after the other: its
// body, as bytes with their number before them, and its hash.
//
// # Checkpoints
//
// The key signs what the hash was at some record, so that whoever lacks the key
// cannot make a chain that differs before it, nor one that ends before it. The
// bytes that are signed are
//
//	"avap audit checkpoint 1\n"
//	text    kind: checkpoint, or cut
//	text    node
//	number  sequence
//	number  time, in microseconds, when it was signed
//	bytes   hash(sequence)
//	number  bytes of the bodies of all records up to this one
//
// A cut says besides that the records up to this one were removed on purpose.
// What is left begins with the record after the last cut, whose hash is in it.
//
// # Export
//
// An export is lines of JSON. A line of the type chain has a node and its public
// key; one of the type checkpoint a checkpoint or a cut; one of the type record
// the members named above, those apart that are empty, and hash. Digests, keys,
// hashes and signatures are hexadecimal digits, times are RFC 3339 with
// microseconds.
package audit
