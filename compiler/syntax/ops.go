package syntax

var (
	unaryText   = [...]string{Neg: "-", Plus: "+", Invert: "~", Not: "not"}
	binaryText  = [...]string{NoOp: "", Add: "+", Sub: "-", Mul: "*", Div: "/", Mod: "%", Pow: "**", Shl: "<<", Shr: ">>", BitAnd: "&", BitOr: "|", BitXor: "^"}
	compareText = [...]string{Eq: "==", Ne: "!=", Lt: "<", Le: "<=", Gt: ">", Ge: ">=", In: "in", NotIn: "not in", Is: "is", IsNot: "is not"}
	ifText      = [...]string{NoIfOp: "", IfEq: "==", IfNe: "!=", IfLt: "<", IfGt: ">", IfLe: "<=", IfGe: ">=", IfIn: "in"}
	argText     = [...]string{ArgEmpty: "empty", ArgQuoted: "quoted", ArgTemplate: "template", ArgDollar: "dollar", ArgWord: "word", ArgExpr: "expr", ArgRaw: "raw"}
	placeText   = [...]string{AsExpr: "expr", AsStatement: "statement", AsTarget: "target"}
)

func (o UnaryOp) String() string   { return unaryText[o] }
func (o BinaryOp) String() string  { return binaryText[o] }
func (o CompareOp) String() string { return compareText[o] }
func (o IfOp) String() string      { return ifText[o] }
func (k ArgKind) String() string   { return argText[k] }
func (p Place) String() string     { return placeText[p] }

var ifOps = map[string]IfOp{
	"=": IfEq, "==": IfEq, "!=": IfNe, "<": IfLt, ">": IfGt, "<=": IfLe, ">=": IfGe, "in": IfIn,
}

// Builtins are the functions every script has, in the order of the manual.
var Builtins = []string{
	"str", "int", "float", "bool", "len", "list", "dict", "range", "abs", "min", "max", "sum", "round",
	"sorted", "enumerate", "zip", "any", "all", "type", "isinstance", "print",
}

// TypeWords are the words isinstance takes.
var TypeWords = []string{"str", "int", "float", "bool", "list", "dict", "NoneType"}

var (
	builtinSet  = setOf(Builtins)
	typeWordSet = setOf(TypeWords)
	keywordArgs = setOf([]string{"reverse", "start", "default", "key"})
	reserved    = setOf([]string{
		"and", "or", "not", "in", "is", "if", "else", "for", "while", "break", "continue", "return", "function",
		"import", "include", "go", "True", "true", "False", "false", "None", "null",
	})
	// operatorWords may be followed directly by a quote, as in Python.
	operatorWords = setOf([]string{"and", "or", "not", "in", "is", "if", "else"})
)

// blockWords are the words that open, divide or close a block, with the
// spelling the manual uses. The upper-case form of each is accepted too.
var blockWords = []string{
	"if", "else", "end", "startLoop", "endLoop", "while", "try", "exception", "except", "function", "go_async",
}

var blockSpelling = func() map[string]string {
	m := make(map[string]string, 2*len(blockWords))
	for _, w := range blockWords {
		m[w], m[upperASCII(w)] = w, w
	}
	return m
}()

// blockWord returns the manual's spelling of a block word, or "".
func blockWord(word string) string {
	if w, ok := blockSpelling[word]; ok {
		return w
	}
	switch lower := lowerASCII(word); lower {
	case "else", "end": // in any case
		return lower
	}
	return ""
}

// IsKeyword reports whether a function must not bear the name.
func IsKeyword(name string) bool {
	return reserved[name] || blockWord(name) != ""
}

func setOf(words []string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

func upperASCII(s string) string { return mapASCII(s, 'a', 'z', 'A'-'a') }
func lowerASCII(s string) string { return mapASCII(s, 'A', 'Z', 'a'-'A') }

func mapASCII(s string, lo, hi byte, shift int) string {
	b := []byte(s)
	for i, c := range b {
		if lo <= c && c <= hi {
			b[i] = byte(int(c) + shift)
		}
	}
	return string(b)
}
