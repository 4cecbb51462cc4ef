package catalog

// anyNumber is MaxArgs of functions without an upper bound.
const anyNumber = -1

var builtins = []Function{
	{Name: "str", Doc: "The text of a value.", Guest: "Str", MaxArgs: 1, FuelUnits: 2},
	{Name: "int", Doc: "An integer from a number or text.", Guest: "Int", MaxArgs: 2, FuelUnits: 2},
	{Name: "float", Doc: "A float from a number or text.", Guest: "Float", MaxArgs: 1, FuelUnits: 2},
	{Name: "bool", Doc: "Whether a value counts as true.", Guest: "Truthy", MaxArgs: 1, FuelUnits: 1},
	{Name: "len", Doc: "The length of a text, list or dict.", Guest: "Len", MinArgs: 1, MaxArgs: 1, FuelUnits: 1},
	{Name: "list", Doc: "A new list of a value's items.", Guest: "ListOf", MaxArgs: 1, FuelUnits: 2},
	{Name: "dict", Doc: "A new dict from a dict or a list of pairs.", Guest: "DictOf", MaxArgs: 1, FuelUnits: 2},
	{Name: "range", Doc: "A list of integers.", Guest: "Range", MinArgs: 1, MaxArgs: 3, FuelUnits: 2},
	{Name: "abs", Doc: "The absolute value of a number.", Guest: "Abs", MinArgs: 1, MaxArgs: 1, FuelUnits: 1},
	{Name: "min", Doc: "The smallest item or argument.", Guest: "Min", MinArgs: 1, MaxArgs: anyNumber, Keywords: []string{"key", "default"}, FuelUnits: 2},
	{Name: "max", Doc: "The largest item or argument.", Guest: "Max", MinArgs: 1, MaxArgs: anyNumber, Keywords: []string{"key", "default"}, FuelUnits: 2},
	{Name: "sum", Doc: "The sum of a list of numbers.", Guest: "Sum", MinArgs: 1, MaxArgs: 2, Keywords: []string{"start"}, FuelUnits: 2},
	{Name: "round", Doc: "A number rounded half to even.", Guest: "Round", MinArgs: 1, MaxArgs: 2, FuelUnits: 1},
	{Name: "sorted", Doc: "A new sorted list.", Guest: "Sorted", MinArgs: 1, MaxArgs: 1, Keywords: []string{"key", "reverse"}, FuelUnits: 2},
	{Name: "enumerate", Doc: "A list of index and item pairs.", Guest: "Enumerate", MinArgs: 1, MaxArgs: 2, Keywords: []string{"start"}, FuelUnits: 2},
	{Name: "zip", Doc: "A list of items side by side.", Guest: "Zip", MaxArgs: anyNumber, FuelUnits: 2},
	{Name: "any", Doc: "Whether one of the items counts as true.", Guest: "Any", MinArgs: 1, MaxArgs: 1, FuelUnits: 2},
	{Name: "all", Doc: "Whether all items count as true.", Guest: "All", MinArgs: 1, MaxArgs: 1, FuelUnits: 2},
	{Name: "type", Doc: "The name of a value's type.", Guest: "TypeName", MinArgs: 1, MaxArgs: 1, FuelUnits: 1},
	{Name: "isinstance", Doc: "Whether a value is of one of the types.", Guest: "IsInstance", MinArgs: 2, MaxArgs: 2, FuelUnits: 1},
	{Name: "print", Doc: "Writes to the execution's log.", Guest: "Print", MaxArgs: anyNumber, FuelUnits: 4},
}

var methods = []Function{
	// Text.
	{Name: "upper", Doc: "The text in upper case.", Guest: "MethodUpper", FuelUnits: 2},
	{Name: "lower", Doc: "The text in lower case.", Guest: "MethodLower", FuelUnits: 2},
	{Name: "strip", Doc: "The text without blanks, or the given characters, at its ends.", Guest: "MethodStrip", MaxArgs: 1, FuelUnits: 2},
	{Name: "lstrip", Doc: "As strip, at the start only.", Guest: "MethodLStrip", MaxArgs: 1, FuelUnits: 2},
	{Name: "rstrip", Doc: "As strip, at the end only.", Guest: "MethodRStrip", MaxArgs: 1, FuelUnits: 2},
	{Name: "split", Doc: "A list of the parts between separators.", Guest: "MethodSplit", MaxArgs: 2, FuelUnits: 2},
	{Name: "join", Doc: "The items of a list with the text between them.", Guest: "MethodJoin", MinArgs: 1, MaxArgs: 1, FuelUnits: 2},
	{Name: "replace", Doc: "The text with parts replaced.", Guest: "MethodReplace", MinArgs: 2, MaxArgs: 3, FuelUnits: 2},
	{Name: "startswith", Doc: "Whether the text starts with another.", Guest: "MethodStartsWith", MinArgs: 1, MaxArgs: 3, FuelUnits: 1},
	{Name: "endswith", Doc: "Whether the text ends with another.", Guest: "MethodEndsWith", MinArgs: 1, MaxArgs: 3, FuelUnits: 1},
	{Name: "find", Doc: "Where another text stands in it, or -1.", Guest: "MethodFind", MinArgs: 1, MaxArgs: 3, FuelUnits: 2},
	{Name: "isdigit", Doc: "Whether all characters are digits.", Guest: "MethodIsDigit", FuelUnits: 1},
	{Name: "isalpha", Doc: "Whether all characters are letters.", Guest: "MethodIsAlpha", FuelUnits: 1},
	{Name: "isalnum", Doc: "Whether all characters are letters or digits.", Guest: "MethodIsAlnum", FuelUnits: 1},
	{Name: "title", Doc: "The text with each word capitalised.", Guest: "MethodTitle", FuelUnits: 2},
	{Name: "capitalize", Doc: "The text with its first letter capitalised.", Guest: "MethodCapitalize", FuelUnits: 2},
	{Name: "zfill", Doc: "The text padded with zeros on the left.", Guest: "MethodZFill", MinArgs: 1, MaxArgs: 1, FuelUnits: 2},
	{Name: "format", Doc: "The text with its {} fields filled in.", Guest: "MethodFormat", MaxArgs: anyNumber, FuelUnits: 4},
	// Text and lists.
	{Name: "count", Doc: "How often an item or text occurs.", Guest: "MethodCount", MinArgs: 1, MaxArgs: 3, FuelUnits: 2},
	// Lists.
	{Name: "append", Doc: "Adds an item at the end.", Guest: "MethodAppend", MinArgs: 1, MaxArgs: 1, FuelUnits: 1},
	{Name: "extend", Doc: "Adds all items of another at the end.", Guest: "MethodExtend", MinArgs: 1, MaxArgs: 1, FuelUnits: 2},
	{Name: "insert", Doc: "Adds an item before a position.", Guest: "MethodInsert", MinArgs: 2, MaxArgs: 2, FuelUnits: 2},
	{Name: "pop", Doc: "Removes an item and gives it.", Guest: "MethodPop", MaxArgs: 2, FuelUnits: 2},
	{Name: "remove", Doc: "Removes the first item equal to a value.", Guest: "MethodRemove", MinArgs: 1, MaxArgs: 1, FuelUnits: 2},
	{Name: "index", Doc: "The position of the first item equal to a value.", Guest: "MethodIndex", MinArgs: 1, MaxArgs: 3, FuelUnits: 2},
	{Name: "sort", Doc: "Sorts the list in place.", Guest: "MethodSort", Keywords: []string{"key", "reverse"}, FuelUnits: 2},
	{Name: "reverse", Doc: "Reverses the list in place.", Guest: "MethodReverse", FuelUnits: 2},
	// Dicts.
	{Name: "get", Doc: "The value of a key, or a default.", Guest: "MethodGet", MinArgs: 1, MaxArgs: 2, FuelUnits: 1},
	{Name: "keys", Doc: "A list of the keys.", Guest: "MethodKeys", FuelUnits: 2},
	{Name: "values", Doc: "A list of the values.", Guest: "MethodValues", FuelUnits: 2},
	{Name: "items", Doc: "A list of key and value pairs.", Guest: "MethodItems", FuelUnits: 2},
	{Name: "update", Doc: "Takes over the pairs of another dict.", Guest: "MethodUpdate", MinArgs: 0, MaxArgs: 1, FuelUnits: 2},
}
