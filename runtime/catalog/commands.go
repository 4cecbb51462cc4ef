package catalog

import "slices"

var (
	target = Param{Name: "target", Kind: Target}
	source = Param{Name: "source", Kind: Source}
)

var commands = slices.Concat(pure, effects)

// pure are the commands that stay inside the sandbox.
var pure = []Command{
	{
		Name: "addVar", Doc: "Stores a value; text made of digits only becomes an integer.",
		Params: []Param{target, {Name: "value", Kind: Value}},
		Guest:  "CommandAddVar", FuelUnits: 1,
	},
	{
		Name: "addResult", Doc: "Copies a variable's value into the results.",
		Params: []Param{{Name: "name", Kind: Source, NameOnly: true}},
		Guest:  "AddResult", NoResult: true, FuelUnits: 4,
	},
	{
		Name: "addParam", Doc: "Reads a request parameter: query string, then JSON body, then form field.",
		Params: []Param{{Name: "name", Kind: Value, OwnText: true}, target},
		Guest:  "Param", FuelUnits: 4,
	},
	{
		Name: "getQueryParamList", Doc: "Lists the query string's parameters as one-pair dicts.",
		Params: []Param{target},
		Guest:  "QueryParamList", FuelUnits: 4,
	},
	{
		Name: "getListLen", Doc: "Gives the length of a list, dict or text.",
		Params: []Param{source, target},
		Guest:  "ListLength", FuelUnits: 2,
	},
	{
		Name: "itemFromList", Doc: "Gives one item of a list; negative indexes count from the end.",
		Params: []Param{source, {Name: "index", Kind: Value}, target},
		Guest:  "ItemFromList", FuelUnits: 2,
	},
	{
		Name: "variableToList", Doc: "Appends a value to a list, which is created when missing.",
		Params: []Param{{Name: "value", Kind: Value}, target},
		Guest:  "VariableToList", ReadsTarget: true, FuelUnits: 2,
	},
	{
		Name: "AddvariableToJSON", Doc: "Sets a key of a dict, which is created when missing.",
		Params: []Param{{Name: "key", Kind: Value}, {Name: "value", Kind: Value}, target},
		Guest:  "AddVariableToJSON", ReadsTarget: true, FuelUnits: 3,
	},
	{
		Name: "variableFromJSON", Doc: "Gives the value of a key of a dict or of JSON text.",
		Params: []Param{source, {Name: "key", Kind: Value, LiteralKey: true}, target},
		Guest:  "VariableFromJSON", FuelUnits: 3,
	},
	{
		Name: "replace", Doc: "Replaces what a regular expression matches; the new text may refer to groups.",
		Params: []Param{
			{Name: "source", Kind: Value},
			{Name: "pattern", Kind: Value, Raw: true},
			{Name: "new", Kind: Value},
			target,
		},
		Guest: "ReplacePattern", FuelUnits: 10,
	},
	{
		Name: "getRegex", Doc: "Joins all matches of a regular expression, or of its groups; null if there are none.",
		Params: []Param{{Name: "source", Kind: Value}, {Name: "pattern", Kind: Value, Raw: true}, target},
		Guest:  "GetRegex", FuelUnits: 10,
	},
	{
		Name: "encodeSHA256", Doc: "Gives the SHA-256 digest of a value's text in hexadecimal.",
		Params: []Param{{Name: "value", Kind: Value}, target},
		Guest:  "EncodeSHA256", FuelUnits: 10,
	},
	{
		Name: "encodeMD5", Doc: "Gives the MD5 digest of a value's text in hexadecimal.",
		Params: []Param{{Name: "value", Kind: Value}, target},
		Guest:  "EncodeMD5", FuelUnits: 10,
	},
	{
		Name: "getTimeStamp", Doc: "Gives the Unix time of a date as a format says, plus delta seconds.",
		Params: []Param{{Name: "date", Kind: Value}, format, delta, target},
		Guest:  "ParseTime", FuelUnits: 20,
	},
	{
		Name: "stampToDatetime", Doc: "Writes a Unix time, plus delta seconds, as a format says.",
		Params: []Param{{Name: "stamp", Kind: Value}, format, delta, target},
		Guest:  "FormatTime", FuelUnits: 20,
	},
	{
		Name: "raise", Doc: "Raises an error that try() can catch.",
		Params: []Param{{Name: "message", Kind: Value}},
		Guest:  "Raise", FuelUnits: 1,
	},
	{
		Name: "registerEndpoint", Doc: "Makes a deployed app answer a path; has no effect when a script is executed.",
		Params: []Param{
			{Name: "path", Kind: Value},
			{Name: "method", Kind: Value},
			{Name: "middleware", Kind: Value},
			{Name: "description", Kind: Value},
			{Name: "handler", Kind: Value},
			{Name: "output", Kind: Value},
		},
		NoResult: true, FuelUnits: 1,
	},
}
