package telemetry

import (
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// Outcome is how an execution ended, as the label of a metric.
type Outcome string

// The outcomes.
const (
	OK           Outcome = "ok"
	ScriptError  Outcome = "script_error"
	CompileError Outcome = "compile_error"
	LimitFuel    Outcome = "limit_fuel"
	LimitTime    Outcome = "limit_time"
	LimitMemory  Outcome = "limit_memory"
	LimitDepth   Outcome = "limit_depth"
	LimitOutput  Outcome = "limit_output"
	Cancelled    Outcome = "cancelled"
	// Refused ones did not begin: no capacity, no such command, no trust.
	Refused  Outcome = "refused"
	Internal Outcome = "internal"
)

var outcomes = []Outcome{OK, ScriptError, CompileError, LimitFuel, LimitTime, LimitMemory, LimitDepth, LimitOutput, Cancelled, Refused, Internal}

// outcomesByCode are those of codes whose range says something else, or too
// little.
var outcomesByCode = map[diag.Code]Outcome{
	diag.OutOfFuel: LimitFuel, diag.DeadlineReached: LimitTime, diag.OutOfMemory: LimitMemory,
	diag.RecursionLimit: LimitDepth, diag.OutputLimit: LimitOutput, diag.Cancelled: Cancelled,
	diag.SourceTooLarge: Refused, diag.MemoryBusy: Refused,
	diag.Overloaded: LimitTime, // of those that have begun: the others are no executions
}

// outcomesByRange are those of the thousands that codes come in.
var outcomesByRange = map[string]Outcome{
	"AVAP1": CompileError, "AVAP2": CompileError, "AVAP3": ScriptError, "AVAP5": Refused, "AVAP6": Refused,
}

// OutcomeOf is the outcome of an execution that ended with a code, the empty
// one for success.
func OutcomeOf(code diag.Code) Outcome {
	if code == "" {
		return OK
	}
	if o, ok := outcomesByCode[code]; ok {
		return o
	}
	for prefix, o := range outcomesByRange {
		if strings.HasPrefix(string(code), prefix) {
			return o
		}
	}
	return Internal
}

// limits names the limit that a code is about.
var limits = map[diag.Code]string{
	diag.OutOfFuel: "fuel", diag.DeadlineReached: "time", diag.OutOfMemory: "memory", diag.RecursionLimit: "call_depth", diag.OutputLimit: "output",
	diag.SourceTooLarge: "source", diag.MemoryBusy: "memory_total", diag.NoCapacity: "capacity", diag.TooManyRequests: "client",
	diag.RequestTooLarge: "body", diag.HeadersTooLarge: "headers", diag.SlowRequest: "read_time", diag.ModuleLimit: "module", diag.StoreFull: "store",
	diag.RateLimited: "rate", diag.QuotaUsed: "quota", diag.Overloaded: "admission", diag.BodyComplex: "json",
}
