package ir

// Lib is a function of the guest library as the compiler sees it.
type Lib struct {
	Name string
	// Sig is its signature, parameters before the colon: V a value, i an i32.
	Sig string
	// Fallible functions report an error by a negative tag or result.
	Fallible bool
	// Result are the kinds of a value it may yield; of an i32, Bool for a truth
	// value and Int for a number.
	Result Kinds
	// FuelUnits is the price of one call, on top of what the library charges.
	FuelUnits int
}

// Library finds a library function; the name must be one of the table's.
func Library(name string) *Lib {
	l, ok := libraryIndex[name]
	if !ok {
		panic("ir: no library function " + name)
	}
	return l
}

const (
	sure     = false
	fallible = true
)

var library = []Lib{
	// Operators.
	{"Add", "VV:V", fallible, number | Text | List, 2},
	{"Sub", "VV:V", fallible, number, 2},
	{"Mul", "VV:V", fallible, number | Text | List, 2},
	{"Div", "VV:V", fallible, Float, 2},
	{"Mod", "VV:V", fallible, number | Text, 2},
	{"Pow", "VV:V", fallible, number, 4},
	{"BitAnd", "VV:V", fallible, Bool | Int, 2},
	{"BitOr", "VV:V", fallible, Bool | Int, 2},
	{"BitXor", "VV:V", fallible, Bool | Int, 2},
	{"Shl", "VV:V", fallible, Int, 2},
	{"Shr", "VV:V", fallible, Int, 2},
	{"Neg", "V:V", fallible, number, 1},
	{"Pos", "V:V", fallible, number, 1},
	{"Invert", "V:V", fallible, Int, 1},
	{"PercentFormat", "VV:V", fallible, Text, 4},
	{"RepeatInPlace", "VV:V", fallible, Null, 2},
	{"Equal", "VV:i", sure, Bool, 2},
	{"Less", "VVi:i", fallible, Bool, 2},
	{"LessEqual", "VVi:i", fallible, Bool, 2},
	{"Contains", "VV:i", fallible, Bool, 3},
	{"Is", "VV:i", sure, Bool, 2},
	{"Truthy", "V:i", sure, Bool, 1},
	{"Index", "VV:V", fallible, Any, 2},
	{"SetIndex", "VVV:i", fallible, Null, 2},
	{"Slice", "VVVV:V", fallible, Text | List, 3},
	{"Attribute", "VV:V", fallible, Any, 2},
	// Construction and iteration.
	{"NewList", "i:V", sure, List, 2},
	{"Push", "VV:", sure, Null, 1},
	{"NewDict", "i:V", sure, Dict, 2},
	{"DictSet", "VVV:i", fallible, Null, 3},
	{"DictAdd", "VVV:", sure, Null, 3},
	{"Iterable", "V:V", fallible, List, 2},
	{"ListLen", "V:i", sure, Int, 1},
	{"ListAt", "Vi:V", sure, Any, 1},
	{"Unpack2", "V:i", fallible, Null, 1},
	{"UnpackItem", "Vi:V", sure, Any, 1},
	// Builtins.
	{"Str", "V:V", fallible, Text, 2},
	{"Repr", "V:V", fallible, Text, 2},
	{"Int", "VV:V", fallible, Int, 2},
	{"Float", "V:V", fallible, Float, 2},
	{"Len", "V:V", fallible, Int, 1},
	{"ListOf", "V:V", fallible, List, 2},
	{"DictOf", "V:V", fallible, Dict, 2},
	{"Range", "VVV:V", fallible, List, 2},
	{"Abs", "V:V", fallible, number, 1},
	{"Min", "VV:V", fallible, Any, 2},
	{"Max", "VV:V", fallible, Any, 2},
	{"MinBy", "VVV:V", fallible, Any, 2},
	{"MaxBy", "VVV:V", fallible, Any, 2},
	{"Sum", "VV:V", fallible, Any, 2},
	{"Round", "VV:V", fallible, number, 1},
	{"Sorted", "VV:V", fallible, List, 2},
	{"SortedBy", "VVV:V", fallible, List, 2},
	{"Enumerate", "VV:V", fallible, List, 2},
	{"Zip", "V:V", fallible, List, 2},
	{"Any", "V:V", fallible, Bool, 2},
	{"All", "V:V", fallible, Bool, 2},
	{"TypeName", "V:V", sure, Text, 1},
	{"IsInstance", "VV:V", fallible, Bool, 1},
	{"Print", "V:V", fallible, Null, 4},
	// Methods of texts.
	{"MethodUpper", "V:V", fallible, Text, 2},
	{"MethodLower", "V:V", fallible, Text, 2},
	{"MethodTitle", "V:V", fallible, Text, 2},
	{"MethodCapitalize", "V:V", fallible, Text, 2},
	{"MethodIsDigit", "V:V", fallible, Bool, 1},
	{"MethodIsAlpha", "V:V", fallible, Bool, 1},
	{"MethodIsAlnum", "V:V", fallible, Bool, 1},
	{"MethodStrip", "VV:V", fallible, Text, 2},
	{"MethodLStrip", "VV:V", fallible, Text, 2},
	{"MethodRStrip", "VV:V", fallible, Text, 2},
	{"MethodSplit", "VVV:V", fallible, List, 2},
	{"MethodJoin", "VV:V", fallible, Text, 2},
	{"MethodReplace", "VVVV:V", fallible, Text, 2},
	{"MethodStartsWith", "VVVV:V", fallible, Bool, 1},
	{"MethodEndsWith", "VVVV:V", fallible, Bool, 1},
	{"MethodFind", "VVVV:V", fallible, Int, 2},
	{"MethodZFill", "VV:V", fallible, Text, 2},
	{"MethodFormat", "VV:V", fallible, Text, 4},
	{"MethodCount", "VVVV:V", fallible, Int, 2},
	{"MethodIndex", "VVVV:V", fallible, Int, 2},
	// Methods of lists and dicts.
	{"MethodAppend", "VV:V", fallible, Null, 1},
	{"MethodExtend", "VV:V", fallible, Null, 2},
	{"MethodInsert", "VVV:V", fallible, Null, 2},
	{"MethodPop", "VVV:V", fallible, Any, 2},
	{"MethodRemove", "VV:V", fallible, Null, 2},
	{"MethodReverse", "V:V", fallible, Null, 2},
	{"MethodSort", "VV:V", fallible, Null, 2},
	{"MethodSortBy", "VVV:V", fallible, Null, 2},
	{"MethodGet", "VVV:V", fallible, Any, 1},
	{"MethodKeys", "V:V", fallible, List, 2},
	{"MethodValues", "V:V", fallible, List, 2},
	{"MethodItems", "V:V", fallible, List, 2},
	{"MethodUpdate", "VV:V", fallible, Null, 2},
	// Text building.
	{"Concat", "VV:V", sure, Text, 2},
	{"Join3", "VVV:V", sure, Text, 2},
	{"Join6", "VVVVVV:V", sure, Text, 2},
	{"ToText", "V:V", fallible, Text, 2},
	{"FormatValue", "VV:V", fallible, Text, 4},
	// Commands.
	{"CommandAddVar", "V:V", fallible, Any, 1},
	{"AddResult", "VV:i", fallible, Null, 4},
	{"Param", "V:V", fallible, Any, 4},
	{"QueryParamList", ":V", sure, List, 4},
	{"ListLength", "V:V", fallible, Int, 2},
	{"ItemFromList", "VV:V", fallible, Any, 2},
	{"VariableToList", "VV:V", fallible, List, 2},
	{"AddVariableToJSON", "VVV:V", fallible, Dict, 3},
	{"VariableFromJSON", "VV:V", fallible, Any, 3},
	{"Datum", "V:V", sure, Any, 1},
	{"TemplateOf", "V:V", fallible, Text, 4},
	{"LiteralOf", "V:V", sure, Any | Undef, 2},
	{"EncodeSHA256", "V:V", sure, Text, 10},
	{"EncodeMD5", "V:V", sure, Text, 10},
	{"ReplacePattern", "VVV:V", fallible, Text, 10},
	{"GetRegex", "VV:V", fallible, Text | Null, 10},
	{"FormatTime", "VVVV:V", fallible, Text | Float, 20},
	{"ParseTime", "VVV:V", fallible, Float, 20},
	{"IfEqual", "VV:i", fallible, Bool, 2},
	{"IfLess", "VV:i", fallible, Bool, 2},
	{"IfLessEqual", "VV:i", fallible, Bool, 2},
	{"IfIn", "VV:i", fallible, Bool, 3},
	{"LoopBound", "V:V", fallible, Int, 1},
	// Memory.
	{"KeepRoot", "V:", sure, Null, 0},
	{"Collect", "iiiii:i", sure, Int, 0},
	{"Root", "i:V", sure, Any, 0},
	// Errors and the ends of a run.
	{"Raise", "V:V", fallible, 0, 1},
	{"NameError", "V:V", fallible, 0, 1},
	{"Catch", ":V", sure, Text, 2},
	{"Failure", ":", sure, Null, 0},
	{"DropError", ":", sure, Null, 0},
	{"ErrorIs", "i:i", sure, Bool, 0},
	{"First", "i:", sure, Null, 0},
	{"Keep", "Vi:i", sure, Int, 0},
	{"InFrame", "i:", sure, Null, 0},
	{"FailRun", ":", sure, Null, 0},
	{"TooDeep", "i:", sure, Null, 0},
	{"FoundAt", "iV:", sure, Null, 0},
	{"ReturnTop", "V:", sure, Null, 1},
	{"LogDone", "id:", sure, Null, 0},
	{"LogFailed", "idV:", sure, Null, 0},
}

var libraryIndex = func() map[string]*Lib {
	m := make(map[string]*Lib, len(library))
	for i := range library {
		m[library[i].Name] = &library[i]
	}
	return m
}()
