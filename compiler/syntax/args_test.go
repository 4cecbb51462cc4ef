package syntax

import (
	"strings"
	"testing"
)

// expectArgs checks how the arguments between a command's parentheses are
// read; want joins them with blanks.
func expectArgs(t *testing.T, call, want string) {
	t.Helper()
	t.Run(call, func(t *testing.T) {
		t.Helper()
		script, list := Parse("t", []byte(call), testOptions)
		if list.HasErrors() {
			t.Fatalf("%s: %v", call, list)
		}
		var got []string
		for _, a := range script.Body[0].(*CallStmt).Call.(*CommandCall).Args {
			var d dumper
			d.arg(a)
			got = append(got, d.String())
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", call, got, want)
		}
	})
}

func TestArguments(t *testing.T) {
	expectArgs(t, "c()", "")
	expectArgs(t, "c( )", "")
	expectArgs(t, "c(,)", "<empty> <empty>")
	expectArgs(t, "c(a, , b)", `<word "a"> <empty> <word "b">`)
	expectArgs(t, "c(a,)", `<word "a"> <empty>`)
	expectArgs(t, "c(, 86400, , t)", `<empty> <expr 86400> <empty> <word "t">`)

	expectArgs(t, `c("a", 'b')`, `<quoted "a"> <quoted "b">`)
	expectArgs(t, `c("\d+\n\"\\\'")`, `<quoted "\\d+\\n\"\\\\'">`)
	expectArgs(t, `c("f(x)", "a,b", "// x")`, `<quoted "f(x)"> <quoted "a,b"> <quoted "// x">`)
	expectArgs(t, `c("a" + "b\n")`, `<expr (+ "a" "b\n")>`)
	expectArgs(t, `c(("a"))`, `<expr "a">`)
	expectArgs(t, "c(`a${b}`)", `<template (template "a" (show b))>`)
	expectArgs(t, "c(`a` + b)", `<expr (+ (template "a") b)>`)
	expectArgs(t, `c(f"{a}")`, `<expr (fstring (show a))>`)
	expectArgs(t, "c($a, $b.c)", `<dollar "a"> <expr (attr c $b)>`)
	expectArgs(t, "c(active, año, _x1)", `<word "active"> <word "año"> <word "_x1">`)
	expectArgs(t, "c(True, None, false)", "<expr true> <expr null> <expr false>")
	expectArgs(t, "c(not, for)", `<raw "not"> <raw "for">`)

	expectArgs(t, "c(10-5)", "<expr (- 10 5)>")
	expectArgs(t, "c([1, 2], {\"a\": 1}, (1, 2))", `<expr (list 1 2)> <expr (dict "a" 1)> <expr (list 1 2)>`)
	expectArgs(t, "c(2024-10-15, 2024-10-15 , 2024 - 10 - 15)", `<raw "2024-10-15"> <raw "2024-10-15"> <expr (- (- 2024 10) 15)>`)
	expectArgs(t, "c(007, 1.2.3)", `<raw "007"> <raw "1.2.3">`)
	expectArgs(t, "c(fn(a, , b), len(l), d(x y))", `<expr (call fn a omitted b)> <expr (builtin len l)> <expr (command d <raw "x y">)>`)
	expectArgs(t, "c(a.b, a if b else d)", `<expr (attr b a)> <expr (cond b a d)>`)

	expectArgs(t, "c(hello world)", `<raw "hello world">`)
	expectArgs(t, "c(%Y-%m-%d, %H:%M)", `<raw "%Y-%m-%d"> <raw "%H:%M">`)
	expectArgs(t, "c(it's, don't stop)", `<raw "it's"> <raw "don't stop">`)
	expectArgs(t, "c(https://a/b, x)", `<raw "https://a/b"> <word "x">`)
	expectArgs(t, "c(https://a/b?c=1&d=2)", `<raw "https://a/b?c=1&d=2">`)
	expectArgs(t, "c(a // note\n, b)", `<word "a"> <word "b">`)
	expectArgs(t, "c(// note\na, // x)\nb /* , */)", `<word "a"> <word "b">`)
	expectArgs(t, "c(1 + // one\n2)", "<expr (+ 1 2)>")
	expectArgs(t, "c(hello // one\nbig world)", "<raw \"hello \\nbig world\">")
	expectArgs(t, "c(a b (c, d), e)", `<raw "a b (c, d)"> <word "e">`)
	expectArgs(t, `c(say "a, b)" now, e)`, `<raw "say \"a, b)\" now"> <word "e">`)
	expectArgs(t, "c(a,\n  hello\n  world,\n# note\n  b)", "<word \"a\"> <raw \"hello\\n  world\"> <word \"b\">")
	expectArgs(t, "c(=, ==, <=, in, ~)", `<raw "="> <raw "=="> <raw "<="> <raw "in"> <raw "~">`)
	expectArgs(t, "c([0-9]+, a]b, })", `<raw "[0-9]+"> <raw "a]b"> <raw "}">`)
	expectArgs(t, "c([0-9])", "<expr (list (- 0 9))>")
	expectArgs(t, "c(d(e(f f) !) !)", `<raw "d(e(f f) !) !">`)

	expectArgs(t, "randomString([0-9], 8, t)", `<raw "[0-9]"> <expr 8> <word "t">`)
	expectArgs(t, "randomString(10, t)", `<expr 10> <word "t">`)
	expectArgs(t, `getRegex(s, [^(]+, r)`, `<word "s"> <raw "[^(]+"> <word "r">`)
}

func TestPatternArguments(t *testing.T) {
	expectArgs(t, `getRegex(s, \((\d+)\), r)`, `<word "s"> <raw "\\((\\d+)\\)"> <word "r">`)
	expectArgs(t, `getRegex(s, ^a.*, r)`, `<word "s"> <raw "^a.*"> <word "r">`)
	expectArgs(t, `getRegex(s, .5, r)`, `<word "s"> <raw ".5"> <word "r">`)
	expectArgs(t, `getRegex(s, (a|b), r)`, `<word "s"> <raw "(a|b)"> <word "r">`)
	expectArgs(t, `getRegex(s, ["',)]+, r)`, `<word "s"> <raw "[\"',)]+"> <word "r">`)
	expectArgs(t, `getRegex(s, pattern, r)`, `<word "s"> <word "pattern"> <word "r">`)
	expectArgs(t, `replace([1], "a", b, r)`, `<expr (list 1)> <quoted "a"> <word "b"> <word "r">`)
}

// TestArgumentText checks the source text that stands for an argument whose
// names are undefined.
func TestArgumentText(t *testing.T) {
	script, list := Parse("t", []byte("c( a +  b , d /* x */ * // y\n e)"), testOptions)
	if list.HasErrors() {
		t.Fatal(list)
	}
	args := script.Body[0].(*CallStmt).Call.(*CommandCall).Args
	for i, want := range []string{"a +  b", "d  * \n e"} {
		if args[i].Text != want {
			t.Errorf("argument %d has the text %q, want %q", i, args[i].Text, want)
		}
	}
}
