package guest

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/avapd/avapd/runtime/library"
)

var (
	randomCases = flag.Int("random.cases", 800, "number of random calls that all machines must agree on")
	randomSeed  = flag.Uint64("random.seed", 1, "seed of the random calls")
)

// randomPool holds values at the edges of what functions decide on.
var randomPool = []any{
	nil, missing, true, false,
	int64(0), int64(1), int64(-1), int64(2), int64(3), int64(7), int64(10), int64(-5), int64(64), int64(255), int64(1 << 31),
	int64(1 << 53), int64(1<<53 + 1), int64(math.MaxInt64), int64(math.MinInt64), int64(3037000500),
	0.0, math.Copysign(0, -1), 0.5, 1.0, -2.5, 2.675, 1e16, 1e22, 1e300, 5e-324, -1e-7, 123456.789, float64(1 << 53), float64(1 << 63),
	math.Inf(1), math.Inf(-1), math.NaN(),
	"", "a", "abc", "banana", "héllo", "ÀÉ straße", "日本語", "1", "-42", " 12 ", "1.5", "1e3", "x y  z", "a,b,,c", "%d", "%s|%5.1f",
	"{}", "{0} {1:>5}", ",", ".2f", ">8", "05d", "[1, 'a', {'k': 2.5}]", `{"a": [1, true, null]}`, "int", "list", "\x00\n\t'\"",
	[]any{},
	[]any{int64(1)},
	[]any{int64(1), int64(2)},
	[]any{int64(3), int64(1), int64(2)},
	[]any{"b", "a", "é"},
	[]any{1.5, int64(1), true},
	[]any{[]any{"k", int64(1)}, []any{"l", "m"}},
	[]any{nil, "x"},
	pairs{},
	pairs{"a", int64(1)},
	pairs{"a", int64(1), int64(1), "b", 2.5, nil},
	pairs{"a", pairs{"b", []any{int64(1)}}},
	bigDict(),
}

// bigDict needs an index.
func bigDict() pairs {
	var d pairs
	for i := range int64(12) {
		d = append(d, fmt.Sprint("k", i), i)
	}
	return append(d, int64(5), "five", 0.5, "half")
}

// notRandom are functions that trust their arguments: the compiler calls them
// only where it knows their types.
var notRandom = []string{
	"Push", "ListLen", "ListAt", "UnpackItem", "Concat", "Join3", "Join6", "TemplateOf", "RepeatInPlace", "NewList", "NewDict", "LogDone", "LogFailed",
	"KeepRoot", "Collect", "Root", "DictSet", "DictAdd", "Catch", "Failure", "DropError", "ErrorIs", "MinBy", "MaxBy", "SortedBy", "MethodSortBy", "PercentFormat", "MethodFormat",
	"Min", "Max", "Print", "Zip", "Less", "LessEqual", "AddResult", "IsInstance",
	"First", "Keep", "InFrame", "FailRun", "FoundAt", "TooDeep",
}

// notAtRandomOnNode are those that the shim does in part.
var notAtRandomOnNode = []string{"FormatTime", "ParseTime", "GetRegex", "ReplacePattern"}

// TestRandomCalls holds that all machines agree on calls made at random, to
// find what the compiler of the library, an engine, or the shim gets wrong.
func TestRandomCalls(t *testing.T) {
	random := rand.New(rand.NewPCG(*randomSeed, 0))
	functions := slices.DeleteFunc(library.Functions(), func(f library.Function) bool { return slices.Contains(notRandom, f.Name) })
	local := newNative(t)
	var all []*machineCase
	for range *randomCases {
		c := &machineCase{fn: functions[random.IntN(len(functions))], after: []string{"first"}}
		c.notNode = slices.Contains(notAtRandomOnNode, c.fn.Name)
		c.fillArgs()
		for i := range c.args {
			c.args[i] = randomPool[random.IntN(len(randomPool))]
			if i > 1 && random.IntN(2) == 0 {
				c.args[i] = missing
			}
		}
		if costly(c) {
			continue
		}
		c.where = fmt.Sprintf("%s %s", c.fn.Name, showLiteral(c.args))
		image := newImage(c, local.base())
		c.want = c.result(local.run(c, image), image)
		if c.want == "halt 1" {
			continue // how much memory there is differs
		}
		all = append(all, c)
	}
	runEverywhere(t, all)
}

// costly tells calls that make huge texts or lists.
func costly(c *machineCase) bool {
	switch c.fn.Name {
	case "Range", "Mul", "MethodZFill", "Mod", "FormatValue", "Pow", "Shl":
		return slices.ContainsFunc(c.args, func(v any) bool {
			i, ok := v.(int64)
			return ok && (i > 1000 || i < -1000) && c.fn.Name != "Pow" && c.fn.Name != "Shl"
		})
	}
	return false
}
