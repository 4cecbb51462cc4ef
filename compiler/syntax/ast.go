package syntax

// The tree is immutable once Parse has returned it, so it may be cached and
// read by several goroutines. A position is a byte offset; Source turns it
// into a line and a column, which keeps a node small.

// Pos is a byte offset into the source text.
type Pos int

// Extent is the half-open range of source bytes a node covers.
type Extent struct{ From, To Pos }

// Start is the offset of the node's first byte.
func (e Extent) Start() Pos { return e.From }

// End is the offset behind the node's last byte.
func (e Extent) End() Pos { return e.To }

// Node is any part of the tree that covers source text.
type Node interface {
	Start() Pos
	End() Pos
}

// Stmt is a statement: *Assign, *CallStmt, *If, *Loop, *While, *Try, *Break,
// *Continue, *Return, *Function, *Import or *Async.
type Stmt interface {
	Node
	stmt()
}

// Expr is an expression; Walk lists all its kinds.
type Expr interface {
	Node
	expr()
}

// Script is one parsed file.
type Script struct {
	Source *Source
	// Body holds the top level in source order, functions and imports included.
	Body []Stmt
	// Functions and Imports repeat what Body holds, for quick access.
	Functions []*Function
	Imports   []*Import
}

// Ident is a name with its place: a parameter, a counter, a handler variable.
type Ident struct {
	Extent
	Name string
}

// Statements.
type (
	// Assign is `target = value` or `target op= value`. A command call as the
	// whole value of a plain assignment to a name is the target form; its
	// CommandCall then has Place AsTarget.
	Assign struct {
		Extent
		Target Expr     // *Name, or *Index chains ending in a *Name
		Op     BinaryOp // NoOp for plain `=`
		Value  Expr
	}

	// CallStmt is a call alone on a line: *CommandCall, *FuncCall,
	// *BuiltinCall, *MethodCall or *Go.
	CallStmt struct {
		Extent
		Call Expr
	}

	// If is `if(…)` … `else()` … `end()`.
	If struct {
		Extent
		Cond Condition
		Then []Stmt
		Else []Stmt
		// HasElse tells an empty else branch from none.
		HasElse bool
	}

	// Loop is `startLoop(var, from, to)` … `endLoop()`.
	Loop struct {
		Extent
		Var         Ident
		First, Last *Arg // the bounds, both included; never nil
		Body        []Stmt
	}

	// While is `while(expression)` … `end()`.
	While struct {
		Extent
		Cond Expr
		Body []Stmt
	}

	// Try is both forms of error handling. In the block form (Marker false)
	// Handler runs after an error only. In the marker form control reaches
	// Exception in any case and goes on with the statement that follows this
	// one in the enclosing list; Handler is nil.
	Try struct {
		Extent
		Marker    bool
		Body      []Stmt // the protected part
		Exception Exception
		Handler   []Stmt
	}

	// Break is `break`, always inside a loop.
	Break struct{ Extent }

	// Continue is `continue`, always inside a loop.
	Continue struct{ Extent }

	// Return is `return e`, `return(e)`, `return()` or `return`; Value is nil
	// for the last two.
	Return struct {
		Extent
		Value Expr
	}

	// Function is `function name(p, q){ … }`, always at top level.
	Function struct {
		Extent
		Name   Ident
		Params []Ident
		Body   []Stmt
	}

	// Import is `import "x"` or `include "x"`, always at top level.
	Import struct {
		Extent
		Word string // import or include
		Path string
		At   Extent // of the quoted path
	}

	// Async is `go_async("id")` … `end()`. ID may be nil if none was given.
	Async struct {
		Extent
		ID   *Arg
		Body []Stmt
	}
)

// Exception is the `exception(v)` of a Try.
type Exception struct {
	Extent
	Var    *Ident // nil for `exception()`
	Target Expr   // of `m = exception(v)`, a *Name or *Index chain; else nil
}

// Condition is what stands between the parentheses of `if`. Expr is set in
// the expression form, Left, Op and Right in the comparing form.
type Condition struct {
	Extent
	Left, Right *Arg
	Op          IfOp
	Expr        Expr
}

// IfOp is the operator of the comparing form of `if`.
type IfOp uint8

// The operators of `if`; `=` and `==` are the same one.
const (
	NoIfOp IfOp = iota
	IfEq
	IfNe
	IfLt
	IfGt
	IfLe
	IfGe
	IfIn
)

// ArgKind tells how an argument of a command was written (language, section 6).
type ArgKind uint8

// The kinds of arguments, in their order of reading.
const (
	ArgEmpty    ArgKind = iota // nothing between the commas: not given
	ArgQuoted                  // Text is exactly the text meant
	ArgTemplate                // Expr is a *Template
	ArgDollar                  // Expr is a *Dollar, Text its name
	ArgWord                    // Text is a single identifier, Expr its *Name
	ArgExpr                    // Expr is any other expression
	ArgRaw                     // Text is the text meant
)

// Arg is one argument of a command. Text is the text meant for ArgQuoted and
// ArgRaw, the identifier for ArgWord and ArgDollar, and the source text
// (trimmed, comments removed) for the others.
type Arg struct {
	Extent
	Kind ArgKind
	Text string
	Expr Expr
}

// Literals and names.
type (
	// Null is `None` or `null`; Omitted marks an empty position among the
	// arguments of a function, which covers no text.
	Null struct {
		Extent
		Omitted bool
	}

	// Bool is `True`, `true`, `False` or `false`.
	Bool struct {
		Extent
		Value bool
	}

	// Int is an integer; only the smallest one is a negative literal.
	Int struct {
		Extent
		Value int64
	}

	// Float is a floating-point number; a literal too large is infinite.
	Float struct {
		Extent
		Value float64
	}

	// String is a quoted text with its escapes resolved.
	String struct {
		Extent
		Value string
	}

	// Template is a text in backticks. Each part with an X shows the value of
	// X as `str` gives it, or nothing if a name in it is undefined.
	Template struct {
		Extent
		Parts []TemplatePart
	}

	// FString is an f-string. An undefined name in it is an error.
	FString struct {
		Extent
		Parts []FPart
	}

	// Name is a variable. Names of called functions, of key functions and of
	// types are no *Name.
	Name struct {
		Extent
		Name string
	}

	// Dollar is `$name`: the variable, never its text.
	Dollar struct {
		Extent
		Name string
	}

	// TypeWord is a type's name in the second argument of isinstance.
	TypeWord struct {
		Extent
		Name string
	}

	// FuncRef is the function or builtin named by a `key=` argument. Builtin
	// is false for a script function.
	FuncRef struct {
		Extent
		Name    string
		Builtin bool
	}
)

// TemplatePart is constant text or, when X is set, a `${…}`.
type TemplatePart struct {
	Extent
	Text string
	X    Expr
}

// FPart is constant text or, when X is set, a replacement field. Conv is
// 'r', 's' or 'a', or 0 without a conversion; Spec is nil without a format
// specification, which may itself hold fields.
type FPart struct {
	Extent
	Text string
	X    Expr
	Conv byte
	Spec *FString
}

// Displays and operators.
type (
	// List is `[a, b]`, or `(a, b)` when Paren is set. ArgList marks the
	// parenthesised list directly right of `%`, or as the choice of
	// isinstance, startswith and endswith.
	List struct {
		Extent
		Elems   []Expr
		Paren   bool
		ArgList bool
	}

	// Dict is `{k: v}`.
	Dict struct {
		Extent
		Entries []DictEntry
	}

	// ListComp is `[elem for … in … if …]`.
	ListComp struct {
		Extent
		Elem    Expr
		Clauses []Clause
	}

	// DictComp is `{key: value for … in … if …}`.
	DictComp struct {
		Extent
		Key, Value Expr
		Clauses    []Clause
	}

	// Unary is `-x`, `+x`, `~x` or `not x`.
	Unary struct {
		Extent
		Op UnaryOp
		X  Expr
	}

	// Binary is an arithmetic or bit operation.
	Binary struct {
		Extent
		Op   BinaryOp
		X, Y Expr
	}

	// Logical is a chain of `and` or of `or`, with two operands at least.
	Logical struct {
		Extent
		Or       bool
		Operands []Expr
	}

	// Compare is a comparison chain: X Rest[0].Op Rest[0].Y Rest[1].Op …
	Compare struct {
		Extent
		X    Expr
		Rest []Comparison
	}

	// Cond is `Then if If else Else`.
	Cond struct {
		Extent
		If, Then, Else Expr
	}

	// Index is `x[i]`.
	Index struct {
		Extent
		X, I Expr
	}

	// Slice is `x[lo:hi:step]`; what is not given is nil.
	Slice struct {
		Extent
		X, Lo, Hi, Step Expr
	}

	// Attr is `x.name` without a call.
	Attr struct {
		Extent
		X    Expr
		Name Ident
	}
)

// DictEntry is one pair of a dict display.
type DictEntry struct{ Key, Value Expr }

// Clause is one `for targets in iter` of a comprehension with the conditions
// that follow it. Several targets unpack each item.
type Clause struct {
	Extent
	Targets []Ident
	// Unpack tells `for k, in l` from `for k in l`.
	Unpack bool
	Iter   Expr
	Ifs    []Expr
}

// Comparison is one step of a comparison chain.
type Comparison struct {
	Op CompareOp
	Y  Expr
}

// Calls. The callee was resolved while parsing.
type (
	// FuncCall calls a script function.
	FuncCall struct {
		Extent
		Name Ident
		Args []Expr // an empty position is an omitted *Null
	}

	// BuiltinCall calls one of Builtins.
	BuiltinCall struct {
		Extent
		Name     Ident
		Args     []Expr
		Keywords []Keyword
	}

	// MethodCall is `x.name(args)`.
	MethodCall struct {
		Extent
		X        Expr
		Name     Ident
		Args     []Expr
		Keywords []Keyword
	}

	// CommandCall calls a built-in or registered command.
	CommandCall struct {
		Extent
		Name  Ident
		Args  []*Arg
		Place Place
	}

	// Go is `go f(args)` or `go(f, args)`; its value is a handle.
	Go struct {
		Extent
		Func Ident
		Args []Expr
	}
)

// Keyword is a keyword argument; the value of `key` is a *FuncRef or a *Null.
type Keyword struct {
	Extent
	Name  string
	Value Expr
}

// Place tells where a command call stands, which decides whether its target
// parameter may be left out.
type Place uint8

// The places of a command call.
const (
	AsExpr      Place = iota // inside an expression or an argument
	AsStatement              // alone on a line
	AsTarget                 // the whole right side of `name = …`
)

// UnaryOp is a prefix operator.
type UnaryOp uint8

// The prefix operators.
const (
	Neg UnaryOp = iota
	Plus
	Invert
	Not
)

// BinaryOp is an arithmetic or bit operator.
type BinaryOp uint8

// The binary operators.
const (
	NoOp BinaryOp = iota
	Add
	Sub
	Mul
	Div
	Mod
	Pow
	Shl
	Shr
	BitAnd
	BitOr
	BitXor
)

// CompareOp is an operator of a comparison chain.
type CompareOp uint8

// The comparison operators.
const (
	Eq CompareOp = iota
	Ne
	Lt
	Le
	Gt
	Ge
	In
	NotIn
	Is
	IsNot
)

func (*Assign) stmt()   {}
func (*CallStmt) stmt() {}
func (*If) stmt()       {}
func (*Loop) stmt()     {}
func (*While) stmt()    {}
func (*Try) stmt()      {}
func (*Break) stmt()    {}
func (*Continue) stmt() {}
func (*Return) stmt()   {}
func (*Function) stmt() {}
func (*Import) stmt()   {}
func (*Async) stmt()    {}

func (*Null) expr()        {}
func (*Bool) expr()        {}
func (*Int) expr()         {}
func (*Float) expr()       {}
func (*String) expr()      {}
func (*Template) expr()    {}
func (*FString) expr()     {}
func (*Name) expr()        {}
func (*Dollar) expr()      {}
func (*TypeWord) expr()    {}
func (*FuncRef) expr()     {}
func (*List) expr()        {}
func (*Dict) expr()        {}
func (*ListComp) expr()    {}
func (*DictComp) expr()    {}
func (*Unary) expr()       {}
func (*Binary) expr()      {}
func (*Logical) expr()     {}
func (*Compare) expr()     {}
func (*Cond) expr()        {}
func (*Index) expr()       {}
func (*Slice) expr()       {}
func (*Attr) expr()        {}
func (*FuncCall) expr()    {}
func (*BuiltinCall) expr() {}
func (*MethodCall) expr()  {}
func (*CommandCall) expr() {}
func (*Go) expr()          {}
