package guest

import (
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

func TestMessages(t *testing.T) {
	start(t)
	list, dict, text := val([]any{1}), val(pairs{"a", 1}), val("s")
	status := func(result int32) Value { return integer(int64(result)) }
	cyclic := NewList(1)
	Push(cyclic, cyclic)
	for _, c := range []struct {
		fail func() Value
		want string
	}{
		{func() Value { return Raise(val("my text")) }, "my text"},
		{func() Value { return NameError(val("x")) }, "name 'x' is not defined"},
		{func() Value { return fail1(abi.ErrCommand, val("nope")) }, "Command not found: nope"},
		{func() Value { return Div(val(1), val(0)) }, "division by zero"},
		{func() Value { return Mod(val(1.0), val(0.0)) }, "division by zero"},
		{func() Value { return Add(val(maxInt), val(1)) }, "integer overflow: the result does not fit in 64 bits"},
		{func() Value { return Pow(val(10.0), val(400)) }, "numerical result out of range"},
		{func() Value { return Pow(val(-8), val(0.5)) }, "the result of ** is a complex number"},
		{func() Value { return Shl(val(1), val(-1)) }, "negative shift count"},
		{func() Value { return Add(val(1), text) }, "unsupported operand type(s) for +: 'int' and 'str'"},
		{func() Value { return Add(text, val(1)) }, `can only concatenate str (not "int") to str`},
		{func() Value { return Add(list, text) }, `can only concatenate list (not "str") to list`},
		{func() Value { return Sub(text, null()) }, "unsupported operand type(s) for -: 'str' and 'NoneType'"},
		{func() Value { return Mul(text, text) }, "can't multiply sequence by non-int of type 'str'"},
		{func() Value { return Mul(val(1.5), list) }, "can't multiply sequence by non-int of type 'float'"},
		{func() Value { return Mul(dict, val(2)) }, "unsupported operand type(s) for *: 'dict' and 'int'"},
		{func() Value { return Pow(text, val(2)) }, "unsupported operand type(s) for ** or pow(): 'str' and 'int'"},
		{func() Value { return Shr(val(1.5), val(1)) }, "unsupported operand type(s) for >>: 'float' and 'int'"},
		{func() Value { return Neg(text) }, "bad operand type for unary -: 'str'"},
		{func() Value { return Invert(val(1.5)) }, "bad operand type for unary ~: 'float'"},
		{func() Value { return status(Less(val(1), text, abi.OperatorLess)) }, "'<' not supported between instances of 'int' and 'str'"},
		{func() Value { return status(LessEqual(dict, dict, abi.OperatorLessEqual)) }, "'<=' not supported between instances of 'dict' and 'dict'"},
		{func() Value { return status(Less(val(1), text, abi.OperatorGreater)) }, "'>' not supported between instances of 'str' and 'int'"},
		{func() Value { return Index(list, val(1)) }, "list index out of range"},
		{func() Value { return status(SetIndex(list, val(1), val(1))) }, "list assignment index out of range"},
		{func() Value { return status(SetIndex(text, val(1), val(1))) }, "'str' object does not support item assignment"},
		{func() Value { return Index(text, val(5)) }, "string index out of range"},
		{func() Value { return Index(list, text) }, "list indices must be integers or slices, not str"},
		{func() Value { return Index(text, null()) }, "string indices must be integers, not 'NoneType'"},
		{func() Value { return Index(val(1), val(1)) }, "'int' object is not subscriptable"},
		{func() Value { return Index(dict, val("b")) }, "key not found: 'b'"},
		{func() Value { return Index(dict, list) }, "unhashable type: 'list'"},
		{func() Value { return Attribute(val(1), val("x")) }, "'int' object has no attribute 'x'"},
		{func() Value { return MethodUpper(val(1)) }, "'int' object has no attribute 'upper'"},
		{func() Value { return Iterable(val(1)) }, "'int' object is not iterable"},
		{func() Value { return status(Contains(val(1), val(2))) }, "argument of type 'int' is not iterable"},
		{func() Value { return status(Contains(val(1), text)) }, "'in <string>' requires string as left operand, not int"},
		{func() Value { return status(Unpack2(val(1))) }, "cannot unpack non-iterable int object"},
		{func() Value { return status(Unpack2(list)) }, "not enough values to unpack (expected 2, got 1)"},
		{func() Value { return status(Unpack2(val("abc"))) }, "too many values to unpack (expected 2)"},
		{func() Value { return status(AddResult(val("r"), cyclic)) }, "Circular reference detected"},
		{func() Value { return Int(val("5.5"), undefined()) }, "invalid literal for int() with base 10: '5.5'"},
		{func() Value { return Float(val("x")) }, "could not convert string to float: 'x'"},
		{func() Value { return Len(val(1)) }, "object of type 'int' has no len()"},
		{func() Value { return LoopBound(val("x")) }, "not a number: 'x'"},
		{func() Value { return LoopBound(val(strings.Repeat("é", 2000))) }, "not a number: '" + strings.Repeat("é", 499) + "..."},
	} {
		store32(abi.ErrorCode, abi.ErrNone)
		got := c.fail()
		if load32(abi.ErrorCode) == abi.ErrNone || !got.failed() && got.int() >= 0 {
			t.Errorf("%s: no error, but %s", c.want, show(got))
			continue
		}
		if message := stringOf(errorMessage()); message != c.want {
			t.Errorf("message is %q, want %q", message, c.want)
		}
	}
}
