// Package store keeps the product's own data: small records of JSON, and
// artifacts by their digest.
//
// Everything that changes together is one commit. Commits stand in one order:
// each has a revision, one more than the one before, and writers wait for
// each other on the row that holds it. What a reader sees is therefore always
// the store as it was after some commit. A deleted record leaves a tombstone,
// so that a reader who asks for what changed learns of it.
//
// A summary says which store this is (its epoch), how far it got (revision)
// and what is in it (number of records, and a digest that commits carry
// forward). Two stores with the same summary hold the same records.
//
// There are two implementations, SQLite and PostgreSQL, each with its SQL in
// one file, and one suite for both in storetest. SQLite is also a Copy: it
// follows another store and is what a node has when that is away.
package store
