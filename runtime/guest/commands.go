package guest

import "github.com/avapd/avapd/runtime/abi"

// The commands that need no host. A value that a command was not given, or
// that was never assigned, comes as undefined.

// orNull makes null of undefined.
func orNull(v Value) Value {
	if v.Tag == abi.KindUndefined {
		return null()
	}
	return v
}

// CommandAddVar is addVar: text of digits only becomes an int if it fits.
func CommandAddVar(v Value) Value {
	if !v.isText() || v.textLen() == 0 {
		return orNull(v)
	}
	p := v.textPtr()
	end := p + Ptr(v.textLen())
	if skipDigits(p, end) != end {
		return v
	}
	i, fits := parseWhole(p, v.textLen())
	if !fits {
		return v
	}
	return integer(i)
}

// AddResult is addResult: a copy of the value goes into the results.
func AddResult(name, v Value) int32 {
	value := deepCopy(orNull(v), 0)
	if value.failed() {
		return -1
	}
	return DictSet(loadValue(abi.Results), name, value)
}

// Param is addParam: an endpoint's path, then the query string, then the JSON
// body, then the form.
func Param(name Value) Value {
	if !name.isText() {
		name = Str(name)
	}
	text := firstField(abi.Path, name)
	if text.Tag == abi.KindUndefined {
		text = firstField(abi.Query, name)
	}
	if text.Tag != abi.KindUndefined {
		return parseParamText(text)
	}
	value := bodyMember(name)
	if value.Tag != abi.KindUndefined {
		if value.isText() {
			number := parseNumberText(value)
			if number.Tag != abi.KindUndefined {
				return number
			}
		}
		return deepCopy(value, 0)
	}
	text = firstField(abi.Form, name)
	if text.Tag != abi.KindUndefined {
		return parseParamText(text)
	}
	return null()
}

// firstField gives the first text under a name in a control cell's list of
// name and text pairs, or undefined.
func firstField(cell Ptr, name Value) Value {
	fields := loadValue(cell)
	if fields.Tag != abi.KindList {
		return undefined()
	}
	for i := range fields.list().len() {
		field := fields.list().at(i).list()
		if textEqual(field.at(0), name) {
			return field.at(1)
		}
	}
	return undefined()
}

func bodyMember(name Value) Value {
	body := loadValue(abi.Body)
	if body.Tag != abi.KindDict {
		return undefined()
	}
	return body.dict().get(name)
}

// QueryParamList is getQueryParamList: a dict of one pair for each parameter.
func QueryParamList() Value {
	fields := loadValue(abi.Query)
	if fields.Tag != abi.KindList {
		return NewList(0)
	}
	n := fields.list().len()
	result := newList(n)
	for i := range n {
		field := fields.list().at(i).list()
		d := newDict(1)
		d.set(field.at(0), field.at(1))
		result.push(dictValue(d))
	}
	return listValue(result)
}

// ListLength is getListLen: text that holds a list or a dict counts as one,
// and a variable that was never assigned has no items.
func ListLength(v Value) Value {
	if v.Tag == abi.KindUndefined {
		return integer(0)
	}
	if v.isText() {
		parsed := parseLiteral(v)
		if parsed.Tag != abi.KindUndefined {
			return Len(parsed)
		}
	}
	return Len(v)
}

// ItemFromList is itemFromList; the list may be given as text.
func ItemFromList(source, index Value) Value {
	list := source
	if source.isText() {
		list = parseLiteral(source)
	}
	if list.Tag != abi.KindList {
		return failType(literal("itemFromList needs a list, not '"), source, literal("'"))
	}
	at := wholeNumberOf(index)
	if at.failed() {
		return at
	}
	i, ok := position(at.int(), list.list().len())
	if !ok {
		return fail1(abi.ErrIndexRange, list)
	}
	return list.list().at(i)
}

// wholeNumberOf reads a numeric parameter: an int, a whole float, or number
// text that is one of these.
func wholeNumberOf(v Value) Value {
	number := numberOf(v)
	if number.Tag == abi.KindInt {
		return number
	}
	if number.Tag == abi.KindFloat && trunc64(number.float()) == number.float() {
		return truncate(number.float())
	}
	return fail1(abi.ErrNumberText, orNull(v))
}

// VariableToList is variableToList: target is what the variable holds now.
func VariableToList(v, target Value) Value {
	if target.Tag != abi.KindList {
		target = NewList(0)
	}
	if !isMissing(v) {
		target.list().push(v)
	}
	return target
}

// AddVariableToJSON is AddvariableToJSON: target is what the variable holds
// now.
func AddVariableToJSON(key, v, target Value) Value {
	if target.Tag != abi.KindDict {
		target = NewDict(0)
	}
	target.dict().set(Str(key), orNull(v))
	return target
}

// VariableFromJSON is variableFromJSON: the source is a dict or JSON text.
func VariableFromJSON(source, key Value) Value {
	if source.Tag == abi.KindUndefined {
		return fail1(abi.ErrArgument, literal("variableFromJSON: the source is not defined"))
	}
	if source.isText() {
		source = parseJSON(source)
	}
	if source.Tag != abi.KindDict {
		return null()
	}
	if !hashable(key) {
		return fail1(abi.ErrUnhashable, key)
	}
	value := source.dict().get(key)
	if value.Tag == abi.KindUndefined && !key.isText() {
		value = source.dict().get(Str(key))
	}
	return orNull(value)
}

// numberOf is the number that an int, a float or number text counts as, or
// undefined.
func numberOf(v Value) Value {
	if v.Tag == abi.KindInt || v.Tag == abi.KindFloat {
		return v
	}
	if v.isText() {
		return parseNumberText(v)
	}
	return undefined()
}

// IfEqual is the equality of if(): number text counts as that number, and
// otherwise like equals like.
func IfEqual(a, b Value) int32 {
	if a.Tag == abi.KindInt && b.Tag == abi.KindInt {
		return b2i(a.Bits == b.Bits)
	}
	a, b = orNull(a), orNull(b)
	if a.isText() && b.isText() && textEqual(a, b) {
		return 1
	}
	x, y := numberOf(a), numberOf(b)
	if x.Tag != abi.KindUndefined && y.Tag != abi.KindUndefined {
		return b2i(numbersEqual(x, y))
	}
	return b2i(a.Tag.Kind() == b.Tag.Kind() && equal(a, b, 0))
}

// IfLess is the order of if(): both sides must count as numbers.
func IfLess(a, b Value) int32 {
	order := ifCompare(a, b)
	if order == compareFailed {
		return -1
	}
	return b2i(order == -1)
}

// IfLessEqual is IfLess or equal.
func IfLessEqual(a, b Value) int32 {
	order := ifCompare(a, b)
	if order == compareFailed {
		return -1
	}
	return b2i(order <= 0)
}

func ifCompare(a, b Value) int32 {
	x, y := orderedNumber(a), orderedNumber(b)
	if x.Tag == abi.KindUndefined {
		fail1(abi.ErrNumberText, orNull(a))
		return compareFailed
	}
	if y.Tag == abi.KindUndefined {
		fail1(abi.ErrNumberText, orNull(b))
		return compareFailed
	}
	return compareNumbers(x, y)
}

// orderedNumber is numberOf where a bool counts, too.
func orderedNumber(v Value) Value {
	if v.Tag == abi.KindBool {
		return integer(v.int())
	}
	return numberOf(v)
}

// IfIn is the in of if(): an item of a list, a key of a dict, or a part of a
// text.
func IfIn(a, b Value) int32 {
	switch b.Tag.Kind() {
	case abi.KindText:
		return b2i(textContains(b, Str(a)))
	case abi.KindList:
		for i := range b.list().len() {
			if IfEqual(a, b.list().at(i)) != 0 {
				return 1
			}
		}
		return 0
	case abi.KindDict:
		return b2i(hasKey(b.dict(), orNull(a)))
	}
	failDetail(abi.ErrNotIterable, 1, orNull(b), undefined())
	return -1
}

// hasKey looks for a key by the equality of if().
func hasKey(d Dict, key Value) bool {
	if key.isText() && d.find(key) != noEntry {
		return true
	}
	for i := range d.used() {
		k := d.key(i)
		if k.Tag != abi.KindUndefined && IfEqual(key, k) != 0 {
			return true
		}
	}
	return false
}

// LoopBound is a bound of startLoop as an int: ints, text of a whole number,
// and floats, which are cut.
func LoopBound(v Value) Value {
	if v.Tag == abi.KindInt {
		return v
	}
	if v.Tag == abi.KindFloat {
		return truncate(trunc64(v.float()))
	}
	if v.isText() {
		p, n := trimBlanks(v)
		if numberShape(p, n) == wholeNumber {
			i, fits := parseWhole(p, n)
			if !fits {
				return failOverflow()
			}
			return integer(i)
		}
	}
	return fail1(abi.ErrNumberText, orNull(v))
}
