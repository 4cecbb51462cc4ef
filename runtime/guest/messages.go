package guest

import "github.com/avapd/avapd/runtime/abi"

// messageReprBytes is how much of a value's literal a message shows.
const messageReprBytes = 1000

// errorMessage is the text of the error under way, in Python's words where
// Python has such an error.
func errorMessage() Value {
	mark := outMark()
	a, b := loadValue(abi.ErrorA), loadValue(abi.ErrorB)
	code, detail := load32(abi.ErrorCode), load32(abi.ErrorDetail)
	if !putSimpleMessage(code, detail) && !putOperatorMessage(code, detail, a, b) && !putContainerMessage(code, detail, a, b) {
		putValueMessage(code, a, b)
	}
	return takeText(mark)
}

// putSimpleMessage puts the messages that mention no value.
func putSimpleMessage(code, detail uint32) bool {
	switch code {
	case abi.ErrZeroDivision:
		putText(literal("division by zero"))
	case abi.ErrOverflow:
		if detail == abi.OperatorPow {
			putText(literal("numerical result out of range"))
		} else {
			putText(literal("integer overflow: the result does not fit in 64 bits"))
		}
	case abi.ErrCyclic:
		putText(literal("Circular reference detected"))
	case abi.ErrComplex:
		putText(literal("the result of ** is a complex number"))
	case abi.ErrNegativeShift:
		putText(literal("negative shift count"))
	default:
		return false
	}
	return true
}

// putOperatorMessage puts the messages about operands.
func putOperatorMessage(code, operator uint32, a, b Value) bool {
	switch code {
	case abi.ErrOperands:
		putOperands(operator, a, b)
	case abi.ErrOperand:
		putText(literal("bad operand type for unary "))
		putText(operatorWord(operator))
		putText(literal(": "))
		putTypeQuoted(a)
	case abi.ErrOrder:
		putByte('\'')
		putText(operatorWord(operator))
		putText(literal("' not supported between instances of "))
		putTypeQuoted(a)
		putText(literal(" and "))
		putTypeQuoted(b)
	default:
		return false
	}
	return true
}

func putOperands(operator uint32, a, b Value) {
	if operator == abi.OperatorAdd && isSequence(a) {
		putText(literal("can only concatenate "))
		putText(typeWord(a))
		putText(literal(" (not \""))
		putText(typeWord(b))
		putText(literal("\") to "))
		putText(typeWord(a))
		return
	}
	if operator == abi.OperatorMul && (isSequence(a) || isSequence(b)) {
		other := b
		if !isSequence(a) {
			other = a
		}
		putText(literal("can't multiply sequence by non-int of type "))
		putTypeQuoted(other)
		return
	}
	putText(literal("unsupported operand type(s) for "))
	putText(operatorWord(operator))
	if operator == abi.OperatorPow {
		putText(literal(" or pow()"))
	}
	putText(literal(": "))
	putTypeQuoted(a)
	putText(literal(" and "))
	putTypeQuoted(b)
}

func operatorWord(operator uint32) Value {
	switch operator {
	case abi.OperatorAdd, abi.OperatorPos:
		return literal("+")
	case abi.OperatorSub, abi.OperatorNeg:
		return literal("-")
	case abi.OperatorMul:
		return literal("*")
	case abi.OperatorDiv:
		return literal("/")
	case abi.OperatorMod:
		return literal("%")
	case abi.OperatorPow:
		return literal("**")
	case abi.OperatorAnd:
		return literal("&")
	case abi.OperatorOr:
		return literal("|")
	case abi.OperatorXor:
		return literal("^")
	case abi.OperatorShl:
		return literal("<<")
	case abi.OperatorShr:
		return literal(">>")
	case abi.OperatorInvert:
		return literal("~")
	case abi.OperatorLessEqual:
		return literal("<=")
	case abi.OperatorGreater:
		return literal(">")
	case abi.OperatorGreaterEqual:
		return literal(">=")
	}
	return literal("<")
}

// putTypeQuoted puts the name of a value's type in quotes.
func putTypeQuoted(v Value) {
	putByte('\'')
	putText(typeWord(v))
	putByte('\'')
}

// putContainerMessage puts the messages about indexing, iteration and
// attributes.
func putContainerMessage(code, detail uint32, a, b Value) bool {
	switch code {
	case abi.ErrIndexRange:
		if a.isText() {
			putText(literal("string index out of range"))
		} else if detail != 0 {
			putText(literal("list assignment index out of range"))
		} else {
			putText(literal("list index out of range"))
		}
	case abi.ErrIndexType:
		if a.isText() {
			putText(literal("string indices must be integers, not "))
			putTypeQuoted(b)
		} else {
			putText(literal("list indices must be integers or slices, not "))
			putText(typeWord(b))
		}
	case abi.ErrNotIndexable:
		putObject(a, literal("' object is not subscriptable"))
	case abi.ErrImmutable:
		putObject(a, literal("' object does not support item assignment"))
	case abi.ErrNotIterable:
		if detail != 0 {
			putText(literal("argument of type "))
			putTypeQuoted(a)
			putText(literal(" is not iterable"))
		} else {
			putObject(a, literal("' object is not iterable"))
		}
	case abi.ErrUnhashable:
		putText(literal("unhashable type: "))
		putTypeQuoted(a)
	case abi.ErrAttribute, abi.ErrMethod:
		putObject(a, literal("' object has no attribute '"))
		putStr(b)
		putByte('\'')
	case abi.ErrUnpack:
		putUnpack(a)
	default:
		return false
	}
	return true
}

// putObject puts a type's name between a quote and the rest of a message.
func putObject(v, rest Value) {
	putByte('\'')
	putText(typeWord(v))
	putText(rest)
}

func putUnpack(v Value) {
	if !v.isText() && !isContainer(v) {
		putText(literal("cannot unpack non-iterable "))
		putText(typeWord(v))
		putText(literal(" object"))
		return
	}
	n := Len(v).int()
	if n > 2 {
		putText(literal("too many values to unpack (expected 2)"))
		return
	}
	putText(literal("not enough values to unpack (expected 2, got "))
	putInt(n)
	putByte(')')
}

// putValueMessage puts the messages that are made of a text and a value.
func putValueMessage(code uint32, a, b Value) {
	switch code {
	case abi.ErrName:
		putText(literal("name '"))
		putStr(a)
		putText(literal("' is not defined"))
	case abi.ErrCommand:
		putText(literal("Command not found: "))
		putStr(a)
	case abi.ErrKey:
		putText(literal("key not found: "))
		putShortRepr(a)
	case abi.ErrNumberText:
		putText(literal("not a number: "))
		putShortRepr(a)
	case abi.ErrArgument:
		putStr(a)
		if b.Tag != abi.KindUndefined {
			putText(literal(", not "))
			putText(typeWord(b))
		}
	case abi.ErrValue:
		putStr(a)
		if b.Tag != abi.KindUndefined {
			putText(literal(": "))
			putShortRepr(b)
		}
	default:
		putStr(a)
	}
}

// putShortRepr puts a value's literal, cut when it is long.
func putShortRepr(v Value) {
	mark := outMark()
	putRepr(v, 0)
	if outLen-mark > messageReprBytes {
		end := Ptr(outBase + mark + messageReprBytes)
		outLen = uint32(runeBefore(end, Ptr(outBase+mark))) - outBase
		putText(literal("..."))
	}
}

// typeWord is the name of a value's type.
func typeWord(v Value) Value {
	switch v.Tag.Kind() {
	case abi.KindBool:
		return literal("bool")
	case abi.KindInt:
		return literal("int")
	case abi.KindFloat:
		return literal("float")
	case abi.KindText:
		return literal("str")
	case abi.KindList:
		return literal("list")
	case abi.KindDict:
		return literal("dict")
	case abi.KindConnector:
		return literal("connector")
	}
	return literal("NoneType")
}
