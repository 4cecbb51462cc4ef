// Package api holds the documents about registered commands and executions that
// the server and its clients exchange as JSON. The names of their members are
// part of the contract, and the OpenAPI document is made from them.
package api

import "time"

// Headers that say which version of a command an answer is about.
const (
	HeaderVersion = "X-Avap-Version"
	HeaderDigest  = "X-Avap-Digest"
)

// WASM is the media type of modules.
const WASM = "application/wasm"

// Parameter is a parameter of a command, in the order in which it takes them.
type Parameter struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Version is one version of a command.
type Version struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Active  bool   `json:"active"`
	// Digest is the SHA-256 of the module as it was uploaded, in hexadecimal.
	Digest string `json:"digest"`
	// SizeBytes is the size of the module.
	SizeBytes    int64       `json:"size_bytes"`
	Interface    []Parameter `json:"interface"`
	Capabilities []string    `json:"capabilities"`
	Limits       Limits      `json:"limits"`
	// Signers are the identifiers of the keys that signed the module.
	Signers []string  `json:"signers"`
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"`
	Note    string    `json:"note,omitempty"`
	// SourceSHA256 is the digest of the script that the module was made from.
	SourceSHA256 string `json:"source_sha256,omitempty"`
	// Runnable tells whether the version may run, and Reason why not: because it
	// is revoked, or nobody who is trusted has signed it. ReasonCode is the code
	// that executions are refused with.
	Runnable   bool   `json:"runnable"`
	ReasonCode string `json:"reason_code,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// Versions are those of one command, the newest first.
type Versions struct {
	Versions []Version `json:"versions"`
	// Next is the cursor of the next page; the last page has none.
	Next string `json:"next,omitempty"`
}

// Command is a name and what runs under it.
type Command struct {
	Name string `json:"name"`
	// Active is the version that runs; none is 0.
	Active   int  `json:"active"`
	Disabled bool `json:"disabled"`
	// Versions is how many there are, Latest the highest of their numbers.
	Versions int `json:"versions"`
	Latest   int `json:"latest"`
	// Digest, Interface and Capabilities are those of the active version.
	Digest       string      `json:"digest,omitempty"`
	Interface    []Parameter `json:"interface"`
	Capabilities []string    `json:"capabilities"`
	// Runnable tells whether the command runs when it is called, and Reason why
	// not, as for a version.
	Runnable   bool   `json:"runnable"`
	ReasonCode string `json:"reason_code,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// Commands is a page of a list.
type Commands struct {
	Commands []Command `json:"commands"`
	// Next is the cursor of the next page; the last page has none.
	Next string `json:"next,omitempty"`
}

// Activation chooses the version that runs.
type Activation struct {
	Version int `json:"version"`
}

// Limits bound executions; 0 is no bound but the server's own.
type Limits struct {
	Fuel        int64 `json:"fuel,omitempty"`
	TimeMS      int64 `json:"time_ms,omitempty"`
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	CallDepth   int64 `json:"call_depth,omitempty"`
	OutputBytes int64 `json:"output_bytes,omitempty"`
}

// Signer is somebody whose signatures count, and for what.
type Signer struct {
	Name string `json:"name"`
	// PublicKey is the text of a key file.
	PublicKey string `json:"public_key"`
	// KeyID is the identifier by which signatures refer to the key.
	KeyID string `json:"key_id,omitempty"`
	// Prefixes begin the names of the commands that the signer may sign; * is
	// every name.
	Prefixes []string `json:"prefixes"`
	// Capabilities are the most that the signer's commands may have; * are all.
	Capabilities []string `json:"capabilities"`
	Limits       Limits   `json:"limits"`
	// TrustedCompiler lets modules of avap build that the signer signed count
	// their own fuel.
	TrustedCompiler bool `json:"trusted_compiler,omitempty"`
	// Fixed signers come with the server's configuration.
	Fixed bool `json:"fixed,omitempty"`
	// Revoked tells that the key is revoked.
	Revoked bool `json:"revoked,omitempty"`
	// Change is what came of a change, in the answer to it.
	Change *TrustChange `json:"change,omitempty"`
}

// TrustChange is what comes of a change of who is trusted: the commands whose
// active version can run now, or cannot any more. Of many, not all are named.
type TrustChange struct {
	Gained      []string `json:"gained"`
	GainedCount int      `json:"gained_count"`
	Lost        []string `json:"lost"`
	LostCount   int      `json:"lost_count"`
}

// Signers is the list of them.
type Signers struct {
	Signers []Signer `json:"signers"`
}

// Kinds of revocations.
const (
	RevokedKey    = "key"
	RevokedDigest = "digest"
)

// Revocation makes a key, or the module with a digest, count for nothing.
type Revocation struct {
	Kind  string `enum:"key,digest" json:"kind"`
	Value string `json:"value"`
	// Reason is for people, and also in the audit log.
	Reason string    `json:"reason,omitempty" maxLength:"1000"`
	At     time.Time `json:"at,omitzero"`
	By     string    `json:"by,omitempty"`
	// Note says, in the answer to a revocation, that nothing is known by that
	// value, and Change what came of it.
	Note   string       `json:"note,omitempty"`
	Change *TrustChange `json:"change,omitempty"`
}

// Revocations is the list of them.
type Revocations struct {
	Revocations []Revocation `json:"revocations"`
	// Next is the cursor of the next page; the last page has none.
	Next string `json:"next,omitempty"`
}

// Health is how a server's registry is.
type Health struct {
	// Primary tells whether the primary store answered the last time.
	Primary bool `json:"primary"`
	// Origin is where what is known comes from, primary or offline copy; Epoch
	// and Revision say which state that is, and Refreshed when it was last known
	// to be the primary's.
	Origin    string    `json:"origin"`
	Epoch     string    `json:"epoch"`
	Revision  int64     `json:"revision"`
	Commands  int       `json:"commands"`
	Refreshed time.Time `json:"refreshed,omitzero"`
	// Copy tells whether there is an offline copy, CopyGood whether it is as it
	// should be, and Missing how many artifacts it lacks.
	Copy     bool `json:"copy"`
	CopyGood bool `json:"copy_good"`
	Missing  int  `json:"missing_artifacts"`
}

// Finding is a diagnostic as clients read it.
type Finding struct {
	Code       string `json:"code"`
	Severity   string `json:"severity"`
	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
}

// Problem is what clients read of a problem document.
type Problem struct {
	Title       string    `json:"title"`
	Status      int       `json:"status"`
	Detail      string    `json:"detail"`
	Instance    string    `json:"instance"`
	Error       string    `json:"error"`
	Code        string    `json:"code"`
	Suggestion  string    `json:"suggestion,omitempty"`
	NextStep    string    `json:"next_step"`
	Diagnostics []Finding `json:"diagnostics,omitempty"`
}
