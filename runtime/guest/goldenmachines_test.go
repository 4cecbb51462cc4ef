package guest

import (
	"encoding/json"
	"testing"

	"github.com/avapd/avapd/runtime/library"
)

// goldenExports are the functions of testdata/text.json that the compiled
// library exports.
var goldenExports = map[string]string{
	"repr": "Repr", "str": "Str", "upper": "MethodUpper", "lower": "MethodLower", "title": "MethodTitle",
	"capitalize": "MethodCapitalize", "isdigit": "MethodIsDigit", "isalpha": "MethodIsAlpha", "isalnum": "MethodIsAlnum",
	"strip": "MethodStrip", "lstrip": "MethodLStrip", "rstrip": "MethodRStrip", "split": "MethodSplit", "join": "MethodJoin",
	"replace": "MethodReplace", "find": "MethodFind", "count": "MethodCount", "startswith": "MethodStartsWith",
	"endswith": "MethodEndsWith", "zfill": "MethodZFill", "format": "FormatValue", "textformat": "MethodFormat",
	"percent": "PercentFormat", "slice": "Slice", "chars": "Iterable",
}

// TestTextGoldenEverywhere holds that the compiled library gives what the
// native one does, which TestTextGolden holds against Python.
func TestTextGoldenEverywhere(t *testing.T) {
	var all []*machineCase
	local := newNative(t)
	for _, row := range readGoldenRows(t) {
		fn, ok := library.Lookup(goldenExports[row[0].(string)])
		if !ok {
			continue
		}
		text, _ := json.Marshal(row)
		c := &machineCase{where: string(text), fn: fn}
		for _, x := range row[1 : len(row)-1] {
			c.args = append(c.args, goldenValue(t, x))
		}
		image := newImage(c, local.base())
		c.want = c.result(local.run(c, image), image)
		all = append(all, c)
	}
	runEverywhere(t, all)
}
