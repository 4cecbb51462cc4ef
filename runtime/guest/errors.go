package guest

import "github.com/avapd/avapd/runtime/abi"

// An operation that fails records what its message will be about and gives a
// value with a negative tag. The message itself is made only when somebody
// looks at it, so failing is cheap and arithmetic needs no formatting.

func failure() Value { return Value{abi.TagError, 0} }

// fail records an error about up to two values.
func fail(code uint32, a, b Value) Value { return failDetail(code, 0, a, b) }

func failDetail(code, detail uint32, a, b Value) Value {
	store32(abi.ErrorCode, code)
	store32(abi.ErrorDetail, detail)
	store32(abi.ErrorSite, load32(abi.Site))
	store32(abi.ErrorFrame, 0)
	storeValue(abi.ErrorA, a)
	storeValue(abi.ErrorB, b)
	return failure()
}

// fail1 records an error about one value.
func fail1(code uint32, a Value) Value { return failDetail(code, 0, a, undefined()) }

// fail0 records an error that needs no values.
func fail0(code uint32) Value { return failDetail(code, 0, undefined(), undefined()) }

// failOperator records that an operator does not take these operands.
func failOperator(operator uint32, a, b Value) Value {
	return failDetail(abi.ErrOperands, operator, a, b)
}

// failOrder records that two values have no order.
func failOrder(operator uint32, a, b Value) int32 {
	failDetail(abi.ErrOrder, operator, a, b)
	return -1
}

// failMethod records that a value has no such method.
func failMethod(receiver, name Value) Value { return fail(abi.ErrMethod, receiver, name) }
