// Package ir is the form of a script between its tree and WebAssembly: a tree
// again, but with the language's conveniences spelled out. Names are resolved
// to variables, command arguments to the expressions they mean, comprehensions
// and key functions to loops, methods to calls of library functions.
//
// It stays a tree, because WebAssembly wants structured control flow and
// because AVAP has no jumps that would need anything else. The passes over it
// are, in this order:
//
//	Price   attaches fuel to blocks, before anything is optimised away
//	Fold    evaluates constant operations
//	Prune   takes out statements that cannot be reached
//	Infer   finds the kinds of values at every point, by flow
//	Join    puts texts together that are joined one by one
//	Regions finds the loops that leave memory behind
//	Items   finds the kinds of what lists hold, and infers again with them
//	Specialise copies functions whose callers do not agree, and infers again
//	Ranges  finds the bounds of integers, for what follows about operations
//	Split   cuts long statement lists into helpers, to bound function size
//	Share   finds operations that were made before
//
// Print shows the result; `avap build --emit ir` and the golden tests use it.
package ir

// Program is a whole script, imports spliced in.
type Program struct {
	// Globals are the names of the global variables by number.
	Globals []string
	// Functions are all functions; number 0 is the top level.
	Functions []*Func
	// Endpoints are what the script registers.
	Endpoints []Endpoint
	// Parameters are the names that addParam reads, in the order in which they
	// are met first: those of the top level, then those of functions.
	Parameters []string
	// Sites are the places errors and fuel refer to; number 0 is not used.
	Sites []Site
	// SQL is set when the script runs SQL: its constant texts are marked.
	SQL bool
	// ReadsItems is set when items of lists may be read often.
	ReadsItems bool
	// HasTry is set when the script catches errors anywhere.
	HasTry bool
	// LastError is the number of the global __last_error__, or -1.
	LastError int
	// WrittenByCalls tells of each global whether a script function may
	// assign it, or a block whose variables are gathered.
	WrittenByCalls []bool
	// Tasks are what OpHost spawn starts, by index.
	Tasks []Task
	// CopiesTooMany is the site of a gather with which the copies of a block's
	// variables become too many, or 0.
	CopiesTooMany int

	// What the last inference knew: nothing, or what lists hold.
	unknown, items bool
}

// Site is a place in the source.
type Site struct {
	File, Line, Column int
	Function           int
	Command            string
}

// Endpoint is a path that the script answers when it is deployed; its
// functions are marked as handlers.
type Endpoint struct {
	Path, Method, Description string
	Middleware                []string
	Handler, Output           string
	Site                      int
}

// Task is a function, or a block made into one, that runs isolated from the
// rest. Globals are those that it can read.
type Task struct {
	Func    *Func
	Block   bool
	Globals []int
	Request bool
}

// Func is a script function, or the top level.
type Func struct {
	Name   string
	Number int
	Params []*Var
	// Vars are all variables the function mentions, globals and hidden ones
	// included; a Var's Slot is its index here.
	Vars []*Var
	Body []*Stmt
	// Fuel is the price of entering the function, its straight-line part
	// included.
	Fuel int64
	Site int
	// IsHandler marks functions that the host calls itself.
	IsHandler bool
	// HasSplit is set when parts of the body run in helper functions, so that
	// locals must live in memory.
	HasSplit bool
	// CopyOf is the function that this one is a copy of; see Specialise.
	CopyOf *Func

	// What Infer found. A function that is not reached is not emitted.
	Reached    bool
	ParamKinds []Kinds
	Result     Kinds
}

// Scope tells where a variable lives.
type Scope uint8

// The scopes of variables.
const (
	Global Scope = iota
	Local        // of a script function
	Hidden       // made by the compiler, or of a comprehension; never outlives a statement
)

// Var is a variable as one function sees it.
type Var struct {
	Name  string
	Scope Scope
	Slot  int
	// Global is the number of a global variable.
	Global int
	// Fallback is the global that a local's name means until the local is
	// assigned; nil for parameters.
	Fallback *Var

	// Uses and LoopUses count mentions, those inside loops apart.
	Uses, LoopUses int
}

// Op is the operation of an expression.
type Op uint8

// The operations. Args are given in brackets.
const (
	OpMissing   Op = iota // a library argument that was not given
	OpNull                //
	OpBool                // Int is 0 or 1
	OpInt                 // Int
	OpFloat               // Float
	OpText                // Text
	OpLoad                // Var, Mode
	OpDefined             // Vars: whether all are defined; bool
	OpBinary              // [x y] Operator
	OpUnary               // [x] Operator: Neg, Pos, Invert
	OpCompare             // [x y] Operator: Equal … LessEqual; bool
	OpNot                 // [x]; bool
	OpAnd                 // [x y]: x if it is false, else y
	OpOr                  // [x y]
	OpCond                // [if then else]
	OpTruth               // [x]: whether x counts as true; bool
	OpLib                 // Lib, args
	OpCall                // Callee, args
	OpNewList             // [items…]
	OpNewDict             // [key value …]
	OpConcat              // [texts…]
	OpDo                  // Body, then [value]
	OpSoft                // [x y]: x, or y if x reads an undefined name softly
	OpIsKind              // [x]: whether x is of one of Kinds; bool
	OpIfCompare           // [x y] Operator, as the command if compares; bool
	OpHost                // Host, args; Callee is the function that spawn starts
	OpKeep                // [x]: x, which Var keeps from here on
	OpKept                // Var: what is kept there
)

// Operator is an arithmetic operation or comparison.
type Operator uint8

// The operators. Greater-than is Less with its sides swapped; Swapped in the
// expression says so, for the message.
const (
	Add Operator = iota
	Sub
	Mul
	Div
	Mod
	Pow
	BitAnd
	BitOr
	BitXor
	Shl
	Shr
	Neg
	Pos
	Invert
	Equal
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
)

// Mode says what reading an undefined variable does.
type Mode uint8

// The modes of OpLoad.
const (
	Checked Mode = iota // NameError
	Raw                 // yields undefined
	Soft                // leaves the innermost OpSoft
)

// Expr is an expression. Which members count depends on Op.
type Expr struct {
	Op       Op
	Operator Operator
	Mode     Mode
	Args     []*Expr
	Var      *Var
	Vars     []*Var
	Int      int64
	Float    float64
	Text     string
	Lib      *Lib
	Host     *Host
	Callee   *Func
	Body     []*Stmt
	Kinds    Kinds // OpIsKind
	// Site is where the expression stands, if that is another line than its
	// statement's; else 0.
	Site int

	// items is the class of lists that the value may be; see Items.
	items *items

	// What Ranges found about an operation on integers, and Items about one on
	// a list.
	Facts Facts

	// What Infer found: the kinds of the value, and for OpLoad the kinds the
	// variable may hold before the check.
	Type   Kinds
	Before Kinds
	// BeforeAll is Before for each of Vars; for OpLoad of a local with a
	// fallback it holds the kinds the global may have.
	BeforeAll []Kinds
}

// StmtOp is the kind of a statement.
type StmtOp uint8

// The statements.
const (
	StmtAssign   StmtOp = iota // Var = X
	StmtEval                   // X for its effect
	StmtIf                     // X, Then, Else
	StmtWhile                  // while X: Then
	StmtCount                  // Var counts from X to Y, hidden Counter and Limit: Then
	StmtEach                   // Var takes each item of list X, hidden List and Counter: Then
	StmtBreak                  //
	StmtContinue               //
	StmtReturn                 // X
	StmtTry                    // Then, and Else after an error; the marker form runs Else always
	StmtBlock                  // Then, as one statement
	StmtSplit                  // Then, in a helper function
)

// Stmt is a statement.
type Stmt struct {
	Op   StmtOp
	Site int
	Var  *Var
	X, Y *Expr
	Then []*Stmt // of an if; the body of loops and tries
	Else []*Stmt
	// Caught takes the message in a StmtTry.
	Caught *Var
	// Marker is the form of try whose handler always runs.
	Marker bool
	// List, Counter and Limit are the hidden variables of loops.
	List, Counter, Limit *Var
	// Whole marks what a statement of the script became; hidden variables made
	// in it do not outlive it.
	Whole bool
	// Leaves marks loops at whose heads memory is given back; see Regions.
	Leaves bool
	// Logged statements write a log entry when they are done.
	Logged bool

	// Price: units charged for each turn of a loop, or on entry of a branch.
	Fuel, ElseFuel int64
	// Infer: the kinds Var may hold before the assignment.
	Before Kinds
	// Split: whether jumps leave the helper.
	Jumps Jumps
}

// Jumps are the ways a split-off statement list can end other than by its end.
type Jumps uint8

// The jumps.
const (
	JumpReturn Jumps = 1 << iota
	JumpBreak
	JumpContinue
)
