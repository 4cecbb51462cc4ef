package ir

import (
	"strings"

	"github.com/avapd/avapd/runtime/abi"
)

// Kinds is a set of value kinds: what a variable or an expression may hold at
// one point of the program. The empty set means that the point is not reached.
type Kinds uint16

// The single kinds; a kind's bit is its number in the ABI.
const (
	Undef Kinds = 1 << abi.KindUndefined
	Null  Kinds = 1 << abi.KindNull
	Bool  Kinds = 1 << abi.KindBool
	Int   Kinds = 1 << abi.KindInt
	Float Kinds = 1 << abi.KindFloat
	Text  Kinds = 1 << abi.KindText
	List  Kinds = 1 << abi.KindList
	Dict  Kinds = 1 << abi.KindDict
	Conn  Kinds = 1 << abi.KindConnector

	// Any is every defined value.
	Any = Null | Bool | Int | Float | Text | List | Dict | Conn
	// Unknown is every value, or none.
	Unknown = Any | Undef

	number = Int | Float
)

var kindNames = []string{"undefined", "null", "bool", "int", "float", "text", "list", "dict", "connector"}

// String lists the kinds, shortest form first.
func (k Kinds) String() string {
	switch k {
	case 0:
		return "never"
	case Any:
		return "any"
	case Unknown:
		return "any?"
	}
	var names []string
	for i, name := range kindNames {
		if i > 0 && k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	s := strings.Join(names, "|")
	switch {
	case s == "":
		return kindNames[0]
	case k&Undef != 0:
		return s + "?"
	}
	return s
}

// Is reports whether values of the set are all of the kinds in want. The empty
// set is of every kind only in code that never runs; nothing is built on that.
func (k Kinds) Is(want Kinds) bool { return k != 0 && k&^want == 0 }

// May reports whether a value of the set may be of a kind in want.
func (k Kinds) May(want Kinds) bool { return k == 0 || k&want != 0 }
