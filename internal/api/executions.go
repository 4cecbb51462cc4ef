package api

import "time"

// HeaderExecution holds the identifier of the execution that an answer comes
// from.
const HeaderExecution = "X-Avap-Execution"

// States of executions.
const (
	Running   = "running"
	Stopping  = "stopping" // it is told to end, and has not yet
	Succeeded = "succeeded"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// ExecutionState is what one execution does, or what became of it.
type ExecutionState struct {
	ID        string `json:"execution_id"`
	RequestID string `json:"request_id"`
	State     string `json:"state"`
	// Client is the address, or the network, that turns are counted for.
	Client string `json:"client"`
	// Script is the SHA-256 of the source, in hexadecimal.
	Script  string `json:"script,omitempty"`
	Command string `json:"command,omitempty"`
	Version int    `json:"version,omitempty"`
	App     string `json:"app,omitempty"`
	Route   string `json:"route,omitempty"`

	Started   time.Time `json:"started"`
	ElapsedMS float64   `json:"elapsed_ms"`
	// Status is that of the answer, Code the one of its problem document, and
	// Usage what was used; all are of executions that have ended.
	Status int    `json:"status,omitempty"`
	Code   string `json:"code,omitempty"`
	Usage  *Usage `json:"usage,omitempty"`
}

// Executions is a page of a list.
type Executions struct {
	Executions []ExecutionState `json:"executions"`
	// Next is the cursor of the next page; the last page has none.
	Next string `json:"next,omitempty"`
}

// Usage is what an execution has used.
type Usage struct {
	Fuel        int64   `json:"fuel"`
	TimeMS      float64 `json:"time_ms"`
	MemoryBytes int64   `json:"memory_bytes"`
}

// AuditRecord is a record of the audit log.
type AuditRecord struct {
	Node         string    `json:"node"`
	Sequence     int64     `json:"sequence"`
	Time         time.Time `json:"time"`
	Kind         string    `json:"kind"`
	Principal    string    `json:"principal,omitempty"`
	Address      string    `json:"address,omitempty"`
	RequestID    string    `json:"request_id,omitempty"`
	ExecutionID  string    `json:"execution_id,omitempty"`
	TraceID      string    `json:"trace_id,omitempty"`
	Action       string    `json:"action,omitempty"`
	Target       string    `json:"target,omitempty"`
	Version      int       `json:"version,omitempty"`
	Digest       string    `json:"digest,omitempty"`
	Capabilities []string  `json:"capabilities,omitempty"`
	Outcome      string    `json:"outcome,omitempty"`
	Status       int       `json:"status,omitempty"`
	Code         string    `json:"code,omitempty"`
	Fuel         int64     `json:"fuel,omitempty"`
	MemoryBytes  int64     `json:"memory_bytes,omitempty"`
	DurationUS   int64     `json:"duration_us,omitempty"`
	InputDigest  string    `json:"input_digest,omitempty"`
	Input        string    `json:"input,omitempty"`
	Detail       string    `json:"detail,omitempty"`
	Count        int64     `json:"count"`
	Hash         string    `json:"hash"`
}

// AuditPage is a page of the audit log. One with a next page may have no records.
type AuditPage struct {
	Records []AuditRecord `json:"records"`
	// Next is the cursor of the next page; the last page has none.
	Next string `json:"next,omitempty"`
	// Partial is set while records of other nodes cannot be had.
	Partial bool `json:"partial,omitempty"`
}
