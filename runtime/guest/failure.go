package guest

import "github.com/avapd/avapd/runtime/abi"

// What becomes of an error that is under way, and the execution's log.

// Raise fails with a message of the script's own.
func Raise(v Value) Value { return fail1(abi.ErrRaised, Str(v)) }

// NameError fails because a name is not defined.
func NameError(name Value) Value { return fail1(abi.ErrName, name) }

// ErrorIs reports whether the error under way has this code.
func ErrorIs(code uint32) int32 { return b2i(load32(abi.ErrorCode) == code) }

// DropError forgets the error under way.
func DropError() { store32(abi.ErrorCode, abi.ErrNone) }

// Catch ends the error under way: it goes to the log and to __last_error__,
// and its message is the result.
func Catch() Value {
	message := errorMessage()
	logEntry(abi.LogFailure, load32(abi.ErrorSite), message)
	cell := Ptr(load32(abi.LastError))
	if cell != 0 {
		if load32(cell+abi.CellExtra) == 0 {
			number := load32(abi.Sequence) + 1
			store32(abi.Sequence, number)
			store32(cell+abi.CellExtra, number)
		}
		storeValue(cell, message)
	}
	DropError()
	return message
}

// Failure makes the message of the error that ends the run.
func Failure() { storeValue(abi.Message, errorMessage()) }

// ReturnTop stores what a return at the top level gives.
func ReturnTop(v Value) { storeValue(abi.Return, v) }

func logEntry(kind, site uint32, last Value) {
	entry := newList(3)
	entry.push(integer(int64(kind)))
	entry.push(integer(int64(site)))
	entry.push(last)
	loadValue(abi.Logs).list().push(listValue(entry))
}

// LogDone logs a top-level statement that took ms milliseconds.
func LogDone(site uint32, ms float64) { logEntry(abi.LogDone, site, floating(ms)) }

// LogFailed logs a top-level statement that failed after ms milliseconds.
func LogFailed(site uint32, ms float64, message Value) {
	entry := newList(4)
	entry.push(integer(abi.LogFailed))
	entry.push(integer(int64(site)))
	entry.push(floating(ms))
	entry.push(message)
	loadValue(abi.Logs).list().push(listValue(entry))
}
