// Package registry holds the registered commands: signed artifacts under names,
// with versions, and who may sign what; and the keys of clients, which are to be
// known on all nodes as soon and as safely.
//
// All that is known of them is records of a store (package store), small enough
// to be in memory as a whole. A State is one moment of it; it never changes, and
// what comes next shares most of it. An execution takes one State at its start,
// so that all names in it mean one version each.
//
// What is changed is committed to the primary store, under the condition that
// the records it was decided by are still the same. Then the registry asks the
// primary for what changed, its own change included, and tells the others to
// ask. Whoever missed that finds out by comparing summaries, which everybody does
// from time to time. A primary that went back, or is another, is taken over as a
// whole, so that nothing that was deleted comes back.
//
// A node whose primary is another machine keeps a copy: the records as they are,
// and the artifacts. It starts from the copy, and lives on it while the primary
// is away; then changes are refused.
//
// What no version names any more is taken out of the primary store and the copies
// after a while, and so are the traces of what was deleted.
//
// An artifact is checked wherever it comes from: its digest, and that the keys of
// the present State allow it. What is compiled already is looked up by digest,
// and whether it may run is asked of the present State at each call.
package registry
