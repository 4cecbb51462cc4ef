package guest

import "github.com/avapd/avapd/runtime/abi"

// What scripts do at many places and seldom more than once in a run is done
// here, since a call takes an engine less time to compile than the code would.

// First notes the order in which a global is assigned first.
func First(cell uint32) {
	at := Ptr(cell)
	if load64(at+abi.CellTag) == 0 { // the tag and the number
		number := load32(abi.Sequence) + 1
		store32(abi.Sequence, number)
		store32(at+abi.CellExtra, number)
	}
}

// Keep assigns a value to a global that may be assigned for the first time. For
// a failure it gives 1 and leaves the global alone.
func Keep(v Value, cell uint32) int32 {
	if v.failed() {
		return 1
	}
	First(cell)
	storeValue(Ptr(cell), v)
	return 0
}

// InFrame tells an error in which frame of the call stack it arose, if no inner
// call has done so.
func InFrame(fp uint32) {
	if load32(abi.ErrorFrame) == 0 {
		store32(abi.ErrorFrame, fp)
	}
}

// FailRun ends a run with the error that the frame in the frame cell has met.
func FailRun() {
	InFrame(load32(abi.Frame))
	Failure()
}

// TooDeep notes why the run ends at the call whose slot of the call stack would
// be beyond the limit: the caller's slot has its site.
func TooDeep(slot uint32) {
	caller := slot - 4
	store32(abi.Frame, caller)
	store32(abi.Site, load32(Ptr(caller)))
	store32(abi.Halt, abi.HaltDepth)
}

// FoundAt raises what a script found wrong by itself: that a name is not
// defined, or, if the name is empty, that an integer is too large.
func FoundAt(site uint32, name Value) {
	store32(abi.Site, site)
	if name.Bits == 0 {
		Add(integer(1<<63-1), integer(1))
		return
	}
	NameError(name)
}
