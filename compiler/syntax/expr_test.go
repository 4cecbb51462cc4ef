package syntax

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testOptions are those of all tests: one script function declared elsewhere
// and the class and pattern parameters of three commands.
var testOptions = Options{
	Functions: map[string]bool{"fn": true},
	RawParam: func(command string, index, argCount int) bool {
		switch command {
		case "randomString":
			return index == 0
		case "getRegex", "replace":
			return index == 1
		}
		return false
	},
}

func parseExpr(t *testing.T, src string) Expr {
	t.Helper()
	script, list := Parse("t", []byte("x = "+src), testOptions)
	if list.HasErrors() {
		t.Fatalf("%s: %v", src, list)
	}
	return script.Body[0].(*Assign).Value
}

// expectExpr checks the tree of an expression, and that printing and parsing
// it again changes nothing.
func expectExpr(t *testing.T, src, want string) {
	t.Helper()
	t.Run(src, func(t *testing.T) {
		t.Helper()
		x := parseExpr(t, src)
		if diff := cmp.Diff(want, dumpExpr(x)); diff != "" {
			t.Errorf("tree of %s (-want +got):\n%s", src, diff)
		}
		printed := exprString(x)
		if diff := cmp.Diff(dumpExpr(x), dumpExpr(parseExpr(t, printed))); diff != "" {
			t.Errorf("%s printed as %s (-before +after):\n%s", src, printed, diff)
		}
	})
}

func expectExprError(t *testing.T, src, want string) {
	t.Helper()
	t.Run(src, func(t *testing.T) {
		t.Helper()
		_, list := Parse("t", []byte("x = "+src), testOptions)
		if len(list) == 0 {
			t.Fatalf("%s: no error, want %q", src, want)
		}
		if got := list[0].Message; !strings.Contains(got, want) {
			t.Errorf("%s: error %q, want %q", src, got, want)
		}
		if strings.Contains(list[0].Message, "did you mean") {
			t.Errorf("%s: the message holds the suggestion", src)
		}
	})
}

func TestPrecedence(t *testing.T) {
	expectExpr(t, "-2**2", "(- (** 2 2))")
	expectExpr(t, "2**-1", "(** 2 (- 1))")
	expectExpr(t, "2**3**2", "(** 2 (** 3 2))")
	expectExpr(t, "(-2)**2", "(** (- 2) 2)")
	expectExpr(t, "1 + 2 * 3", "(+ 1 (* 2 3))")
	expectExpr(t, "1 - 2 - 3", "(- (- 1 2) 3)")
	expectExpr(t, "1 - (2 - 3)", "(- 1 (- 2 3))")
	expectExpr(t, "a | b ^ c & d << 1 + 2", "(| a (^ b (& c (<< d (+ 1 2)))))")
	expectExpr(t, "not a == b", "(not (compare a == b))")
	expectExpr(t, "not a and not b or c", "(or (and (not a) (not b)) c)")
	expectExpr(t, "a or b or c", "(or a b c)")
	expectExpr(t, "(a or b) or c", "(or (or a b) c)")
	expectExpr(t, "a < b <= c != d", "(compare a < b <= c != d)")
	expectExpr(t, "a not in b is not c", "(compare a not in b is not c)")
	expectExpr(t, "a is b in c", "(compare a is b in c)")
	expectExpr(t, "1 if a else 2 if b else 3", "(cond a 1 (cond b 2 3))")
	expectExpr(t, "(1 if a else 2) if b else 3", "(cond b (cond a 1 2) 3)")
	expectExpr(t, "~-+a", "(~ (- (+ a)))")
	expectExpr(t, "-a.b[0]", "(- (index (attr b a) 0))")
	expectExpr(t, "-5 % 3", "(% (- 5) 3)")
	expectExpr(t, "2024-10-15", "(- (- 2024 10) 15)")
}

func TestLiterals(t *testing.T) {
	expectExpr(t, "-9223372036854775808", "-9223372036854775808")
	expectExpr(t, "- 0x8000000000000000", "-9223372036854775808")
	expectExpr(t, "9223372036854775807", "9223372036854775807")
	expectExpr(t, "0x10 + 1_000 + 0b11 + 0o17 + 00", "(+ (+ (+ (+ 16 1000) 3) 15) 0)")
	expectExpr(t, "[1e3, 1., .5, 1_0.5e-1_0, 01.5, 1e999]", "(list 1000.0 1.0 0.5 1.05e-09 1.5 1e999)")
	expectExpr(t, "[True, true, False, false, None, null]", "(list true true false false null null)")
	expectExpr(t, `"a\tb\x41\u00e9\U0001F600\101\q\'\""`, `"a\tbAé😀A\\q'\""`)
	expectExpr(t, `'it\'s "x"'`, `"it's \"x\""`)
	expectExpr(t, "\"a\\\nb\"", `"ab"`)
	expectExpr(t, `""`, `""`)
	expectExpr(t, `"// no /* comment # here"`, `"// no /* comment # here"`)
	expectExpr(t, "[1 if a else 2]", "(list (cond a 1 2))")
	expectExpr(t, "1if a else 2", "(cond a 1 2)")
	expectExpr(t, `"a"if a else"b"`, `(cond a "a" "b")`)

	expectExprError(t, "9223372036854775808", "out of range")
	expectExprError(t, "-9223372036854775809", "out of range")
	expectExprError(t, "-(9223372036854775808)", "out of range")
	expectExprError(t, "-9223372036854775808**2", "out of range")
	expectExprError(t, "007", "leading zeros")
	expectExprError(t, "1__0", "not a number")
	expectExprError(t, "1_", "not a number")
	expectExprError(t, "0x", "not a number")
	expectExprError(t, "12abc", "not a number")
	expectExprError(t, "1.2.3", "not a number")
	expectExprError(t, `"\x4"`, "2 hexadecimal digits")
	expectExprError(t, `"\ud800"`, "no character")
	expectExprError(t, `"\N{DASH}"`, "not supported")
	expectExprError(t, `"abc`, "not closed")
	expectExprError(t, `"""abc"""`, "triple quotes")
	expectExprError(t, `"a" "b"`, "side by side")
	expectExprError(t, `r"a"`, "unexpected quote after r")
	expectExprError(t, `it's`, "unexpected quote after it")
}

func TestDisplays(t *testing.T) {
	expectExpr(t, "[1, 2, ]", "(list 1 2)")
	expectExpr(t, "{}", "(dict)")
	expectExpr(t, `{"a": 1, b: [2],}`, `(dict "a" 1 b (list 2))`)
	expectExpr(t, "[\n1, // one\n2 /* two */\n]", "(list 1 2)")
	expectExpr(t, "[1// one\n]", "(list 1)")
	expectExpr(t, "[1,\n# note\n2]", "(list 1 2)")
	expectExpr(t, "(a)", "a")
	expectExpr(t, "(a, b)", "(list a b)")
	expectExpr(t, "(a,)", "(list a)")
	expectExpr(t, `"%s" % (a, b)`, `(% "%s" (arg-list a b))`)
	expectExpr(t, `"%s" % (a)`, `(% "%s" a)`)
	expectExpr(t, `"%s" % (a, b)[0]`, `(% "%s" (index (list a b) 0))`)
	expectExpr(t, `"%s" % [a, b]`, `(% "%s" (list a b))`)
	expectExpr(t, "isinstance(x, (int, str))", "(builtin isinstance x (arg-list (type int) (type str)))")
	expectExpr(t, "isinstance(int, list)", "(builtin isinstance int (type list))")
	expectExpr(t, `s.startswith(("a", "b"))`, `(method startswith s (arg-list "a" "b"))`)
	expectExpr(t, "[i * 2 for i in l if i if i > 2 for j in i]", "(list-comp (* i 2) (for i in l if i if (compare i > 2)) (for j in i))")
	expectExpr(t, "[k for k, v in d.items()]", "(list-comp k (for k v unpack in (method items d)))")
	expectExpr(t, "{k: v for (k, v) in l}", "(dict-comp k v (for k v unpack in l))")
	expectExpr(t, "[(1 if a else 2) for b in (c if d else e)]", "(list-comp (cond a 1 2) (for b in (cond d c e)))")

	expectExprError(t, "()", "() is no expression")
	expectExprError(t, "{1, 2}", "expected : after the key")
	expectExprError(t, "(i for i in l)", "no generators")
	expectExprError(t, "sum(i for i in l)", "no generators")
	expectExprError(t, "[1, 2", "[ is not closed")
	expectExprError(t, "[*a]", "expected an expression")
}

func TestSuffixes(t *testing.T) {
	expectExpr(t, "a[1][-1]", "(index (index a 1) (- 1))")
	expectExpr(t, "a[1:2:3]", "(slice a 1 2 3)")
	expectExpr(t, "a[:]", "(slice a _ _ _)")
	expectExpr(t, "a[::-1]", "(slice a _ _ (- 1))")
	expectExpr(t, "a[1:]", "(slice a 1 _ _)")
	expectExpr(t, "a.b.c(1)", "(method c (attr b a) 1)")
	expectExpr(t, `"x".join(l)`, `(method join "x" l)`)
	expectExpr(t, "fn(1, , 2)", "(call fn 1 omitted 2)")
	expectExpr(t, "fn(,)", "(call fn omitted)")
	expectExpr(t, "fn(1,)", "(call fn 1)")
	expectExpr(t, "fn(1,,)", "(call fn 1 omitted)")
	expectExpr(t, "fn (1)", "(call fn 1)")
	expectExpr(t, "sorted(l, key=len, reverse=True)", "(builtin sorted l key=(builtin-ref len) reverse=true)")
	expectExpr(t, "max(l, key=fn, default=0)", "(builtin max l key=(function-ref fn) default=0)")
	expectExpr(t, "go fn(1, 2)", "(go fn 1 2)")
	expectExpr(t, "go(fn, 1, 2)", "(go fn 1 2)")
	expectExpr(t, "go(fn)", "(go fn)")
	expectExpr(t, "getListLen(l) + 1", `(+ (command getListLen <word "l">) 1)`)
	expectExpr(t, "[$a, $b.c]", "(list $a (attr c $b))")

	expectExprError(t, "a[1, 2]", "expected ]")
	expectExprError(t, "a[]", "expected an index")
	expectExprError(t, "a[1:2:3:4]", "at most three")
	expectExprError(t, "fn(1)(2)", "no values")
	expectExprError(t, "fn(a=1)", "no argument is named a")
	expectExprError(t, "fn(key=len)", "takes no argument by name")
	expectExprError(t, "sorted(l, key=1)", "key takes the name")
	expectExprError(t, "sorted(l, key=nope)", "nope is no function")
	expectExprError(t, "sorted(reverse=True, l)", "by position must come before")
	expectExprError(t, "go nope(1)", "nope is not a function")
	expectExprError(t, "try()", "block marker")
	expectExprError(t, "a && b", "expected the end of the line")
	expectExprError(t, "lambda x: x", "expected the end of the line")
	expectExprError(t, "$", "a name must follow $")
}

func TestTemplates(t *testing.T) {
	expectExpr(t, "`id = ${x}`", `(template "id = " (show x))`)
	expectExpr(t, "`${x}${y + 1}`", `(template (show x) (show (+ y 1)))`)
	expectExpr(t, "`\\` \\$ \\\\ \\n`", "(template \"` $ \\\\ \\\\n\")")
	expectExpr(t, "``", "(template)")
	expectExpr(t, "`${d[\"}\"]} ${`in ${x}`}`", "(template (show (index d \"}\")) \" \" (show (template \"in \" (show x))))")
	expectExpr(t, "`a\nb`", "(template \"a\\nb\")")
	expectExpr(t, "`$5 {x}`", `(template "$5 {x}")`)
	expectExpr(t, "`${{1: 2}[1]}`", "(template (show (index (dict 1 2) 1)))")
	expectExprError(t, "`${}`", "nothing stands between")
	expectExprError(t, "`${a b}`", "expected }")
	expectExprError(t, "`abc", "template is not closed")

	expectExpr(t, `f"v{n:.2f}"`, `(fstring "v" (show n (fstring ".2f")))`)
	expectExpr(t, `f'{a!r:>{w}.{p}} {{x}}'`, `(fstring (show a !r (fstring ">" (show w) "." (show p))) " {x}")`)
	expectExpr(t, `f"{a != b}{c['k']}"`, `(fstring (show (compare a != b)) (show (index c "k")))`)
	expectExpr(t, `f"{x=}"`, `(fstring "x=" (show x !r))`)
	expectExpr(t, `f"{ {'a': 1}['a'] }\n"`, `(fstring (show (index (dict "a" 1) "a")) "\n")`)
	expectExpr(t, `f""`, `(fstring)`)
	expectExprError(t, `f"{}"`, "nothing stands between")
	expectExprError(t, `f"}"`, "a single }")
	expectExprError(t, `f"{a"`, "expected }")
	expectExprError(t, `f"{a!x}"`, "conversion")
	expectExprError(t, `f"{a b}"`, "expected }")
}

func TestFreeNames(t *testing.T) {
	for src, want := range map[string]string{
		"a + b * a":                              "a b",
		"fn(a) + len(b)":                         "a b",
		"[x + y for x in l if x > z]":            "l z y",
		"{k: v for k, v in d.items() if v in k}": "d",
		"[x for x in x]":                         "x",
		"sorted(l, key=len)":                     "l",
		"isinstance(a, int)":                     "a",
		"$p + `${q}`":                            "p",
		`f"{a:{w}}"`:                             "a w",
		"getListLen(l) + cmd($m, n + 1)":         "m",
		"d.name":                                 "d",
	} {
		if got := strings.Join(FreeNames(parseExpr(t, src)), " "); got != want {
			t.Errorf("FreeNames(%s) = %s, want %s", src, got, want)
		}
	}
}
