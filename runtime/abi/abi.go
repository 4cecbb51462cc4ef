// Package abi is the contract between compiled scripts, the guest library and
// the host: how a value looks, where things lie in linear memory, which
// functions cross the sandbox wall, and what the codes mean.
//
// Everything here is a constant or plain data, because three readers share it:
// the compiler, the host, and the guest library, whose sources are compiled to
// WebAssembly and can use nothing but constants.
package abi

// Version is the number of this contract. An artifact names the version it
// needs; a host runs only its own. What the library exports is part of it, so that
// a host without one of the functions says so before it looks for any.
const Version = 4

// PageBytes is the size of a page of linear memory, and StartPages how many
// there are at the start, if the script's own data and the call stack take no more.
const (
	PageBytes  = 65536
	StartPages = 1
)

// A value is a tag (i32) and a payload (i64). In memory it is a cell of
// CellSize bytes: tag at 0, an owner-defined word at 4, payload at 8.
const (
	CellSize    = 16
	CellTag     = 0
	CellExtra   = 4
	CellPayload = 8
)

// The low four bits of a tag are the value's kind. A negative tag is no value:
// the operation failed and the error cells of the control block say how.
const (
	KindUndefined = 0 // a variable that was never assigned
	KindNull      = 1
	KindBool      = 2 // payload 0 or 1
	KindInt       = 3 // payload: two's complement
	KindFloat     = 4 // payload: IEEE 754 bits
	KindText      = 5 // payload: byte offset | byte length << 32, UTF-8
	KindList      = 6 // payload: offset of a list header
	KindDict      = 7 // payload: offset of a dict header
	KindConnector = 8 // payload: the host's number for it; means nothing elsewhere

	KindMask = 0x0f
	// FlagASCII marks a text all of whose bytes are below 0x80, so that
	// characters and bytes coincide. A text without the flag may still be ASCII.
	FlagASCII = 0x10
	// FlagConst marks a text that stands in the script, or is made of such
	// texts alone; FlagParts one that knows what it was made of: the PartsSize
	// bytes before its own hold the offset of the header of a list of its parts
	// and a zero. A part that is constant text carries FlagConst, every other
	// part is a value. Scripts that run no SQL have neither flag.
	FlagConst = 0x20
	FlagParts = 0x40
	PartsSize = 8

	TagError = -1
)

// A list header, and after ListCells the cells themselves.
const (
	ListLen   = 0  // u32, number of cells in use
	ListCap   = 4  // u32, number of cells there is room for
	ListCells = 8  // u32, offset of the first cell
	ListMark  = 12 // u32, non-zero while a walk that must notice cycles is inside
	ListSize  = 16
)

// A dict header. Entries are in insertion order; a deleted one has an
// undefined key. Index is zero until the dict has more than DictLinear entries
// in use; until then look-ups compare the entries one by one and the hashes of
// the entries are not valid. The host builds dicts of any size without an
// index, and the guest adds one at the first look-up that wants it.
const (
	DictCount   = 0  // u32, live entries
	DictUsed    = 4  // u32, entries in use, deleted ones included
	DictCap     = 8  // u32, entries there is room for
	DictEntries = 12 // u32, offset of the first entry
	DictIndex   = 16 // u32, offset of the index: u32 slots holding entry number + 1
	DictMask    = 20 // u32, number of slots - 1, a power of two less one
	DictMark    = 24 // u32, as ListMark
	DictSize    = 32

	DictLinear = 8

	// EntryKey and the following: an entry is a key cell, whose extra word is
	// the key's hash, and a value cell.
	EntryKey   = 0
	EntryHash  = 4
	EntryValue = 16
	EntrySize  = 32
)

// The memory map. Offset 0 is never handed out: the first KiB stays empty, so
// that a zero offset is always a bug.
const (
	ControlBase = 1024                         // the control block below
	LibraryBase = 2048                         // the guest library's own data
	Remembered  = ScriptBase - RememberedBytes // the library's table of containers that changed
	ScriptBase  = 16384                        // the script's globals, then its constants; then the heap
)

// RememberedBytes is the size of what lies at Remembered.
const RememberedBytes = 8192

// The control block. The host fills it before a run and reads it after; cells
// are CellSize bytes, the rest are little-endian u32 unless noted.
const (
	HeapTop     = 1024 // first free byte
	HeapEnd     = 1028 // end of the memory there is now
	StackBase   = 1032 // first slot of the call stack, one u32 site per frame
	StackLimit  = 1036 // first slot that may not be used
	Site        = 1040 // where the script is: index into the manifest's sites
	ErrorCode   = 1044 // one of the Err codes while an error is under way
	ErrorFrame  = 1048 // call-stack slot in which the error arose; 0: not yet known
	Halt        = 1052 // one of the Halt codes before the guest traps on purpose
	HashSeed    = 1056 // u64
	Sequence    = 1064 // counts first assignments of globals
	ErrorSite   = 1068 // the site at which the error arose
	ErrorA      = 1072 // cell: what the message is about
	ErrorB      = 1088 // cell
	Results     = 1104 // cell: dict of what addResult published
	Logs        = 1120 // cell: list of log entries, see LogCells
	Query       = 1136 // cell: list of [name, text], arrival order
	Body        = 1152 // cell: dict of the JSON body's members
	Form        = 1168 // cell: list of [name, text], arrival order
	Return      = 1184 // cell: what return at the top level gave
	Message     = 1200 // cell: the text of the error that ended the run
	LastError   = 1216 // offset of the global cell of __last_error__, 0: none
	ErrorDetail = 1220 // by error code: an Operator number, for example
	Frame       = 1224 // call-stack slot of the script function that runs; at first StackBase
	RegionMark  = 1228 // where the heap ended when the innermost loop began that collects; 0: none
	Path        = 1232 // cell: list of [name, text], the parameters in an endpoint's path
	TaskArgs    = 1248 // cell: list of the arguments of the task that is run; see Task
	CallArgs    = 1280 // MaxCallArgs cells: the arguments of a call of the host
	CallResult  = 1536 // cell: what the host answered
	ControlEnd  = 1552
)

// MaxCallArgs is how many arguments a call of the host takes. A command with an
// effect is a function of HostModule that the script module imports: (number of
// arguments i32) -> i32. The arguments lie in the cells of
// CallArgs, those not given as undefined. The result is 0, and then the value
// is in CallResult, or negative for an error, which is described in the error
// cells as the library describes one.
const MaxCallArgs = 16

// A global variable's cell has as its extra word the number of its first
// assignment, counted by Sequence from 1; 0 for one that the request brought.
// The host numbers the request's own variables itself.

// A log entry is a list: kind, site, then by kind.
const (
	LogPrint   = 0 // text
	LogFailure = 1 // message of an error that try caught; site is the failing one
	LogDone    = 2 // duration in ms (float); an executed top-level statement
	LogFailed  = 3 // duration in ms (float), message
)

// Module and field names of what modules import. The library module exports
// its functions under their Go names, its memory and its fuel global.
const (
	LibraryModule = "rt"
	HostModule    = "avap"
	MemoryExport  = "memory"
	FuelExport    = "fuel" // i64 global: units left in the slice
	RunExport     = "run"  // () -> i32: 0 success, 1 an error; see Message

	// LibraryFuelExport is the library's fuel global in a module that was merged
	// with what it needs of the library. Such a module exports its memory.
	LibraryFuelExport = "library_fuel"

	// DepthExport and StartExport are what metering adds to a module that our
	// compiler did not make, beside the fuel global: an i32 global that holds how
	// many calls are left, and the start function, to be called with fuel.
	DepthExport = "depth"
	StartExport = "start"

	// StackLimitExport is the i32 global in which a script with functions keeps
	// where its call stack ends. Nobody reads it from outside, but a host that
	// keeps an instance for the next execution can put it back.
	StackLimitExport = "stack_limit"
)

// Halt codes say why the guest trapped on purpose. No script can catch these.
const (
	HaltMemory = 1 // the memory cap
	HaltDepth  = 2 // the call-depth cap
)

// Error codes of run-time errors that a script can catch. ErrorA and ErrorB
// carry what the message mentions.
const (
	ErrNone          = 0
	ErrRaised        = 1 // A: the text given to raise
	ErrName          = 2 // A: name
	ErrCommand       = 3 // A: name
	ErrZeroDivision  = 4
	ErrOverflow      = 5  // an integer result beyond 64 bits; ErrorDetail: OperatorPow if a power of floats
	ErrOperands      = 6  // A, B: operands; ErrorDetail: an Operator number
	ErrOperand       = 7  // A: operand; ErrorDetail: an Operator number
	ErrOrder         = 8  // A, B: values that have no order
	ErrIndexRange    = 9  // A: the container; ErrorDetail: 1 in an assignment
	ErrKey           = 10 // A: missing key
	ErrIndexType     = 11 // A: container, B: index
	ErrNotIndexable  = 12 // A: value
	ErrNotIterable   = 13 // A: value; ErrorDetail: 1 right of the operator in
	ErrUnhashable    = 14 // A: key
	ErrAttribute     = 15 // A: value, B: name
	ErrArgument      = 16 // A: the message, B: if defined, a value whose type goes behind it: A, not type
	ErrValue         = 17 // A: the message, B: if defined, a value whose repr goes behind it: A: repr
	ErrFormat        = 18 // A: text describing the problem
	ErrNumberText    = 19 // A: value that should count as a number
	ErrCyclic        = 20 // a container that contains itself was to be copied
	ErrComplex       = 21 // ** with a complex result
	ErrNegativeShift = 22
	ErrUnpack        = 23 // A: value that is no pair
	ErrImmutable     = 24 // A: value that takes no item assignment
	ErrMethod        = 25 // A: value, B: method name
	ErrHost          = 26 // A: the message of a command with an effect
)

// Operator numbers in ErrorDetail.
const (
	OperatorAdd = iota + 1
	OperatorSub
	OperatorMul
	OperatorDiv
	OperatorMod
	OperatorPow
	OperatorAnd
	OperatorOr
	OperatorXor
	OperatorShl
	OperatorShr
	OperatorNeg
	OperatorPos
	OperatorInvert
	OperatorLess
	OperatorLessEqual
	OperatorGreater
	OperatorGreaterEqual
)
