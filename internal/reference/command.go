package reference

import (
	"crypto/md5" //nolint:gosec // the language has it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/avapd/avapd/compiler/syntax"
)

// signature is a command's parameters: T a target, V a source, L a value, l one that may be left out.
type signature struct {
	params string
	run    func(in *interpreter, args []argument) value
}

// argument is a value that was given, or not: an empty position, or a source without a value.
type argument struct {
	value value
	given bool
	words *syntax.Arg
}

// commands is the table of what this package knows of commands. variableToList and AddvariableToJSON read their target, too.
func commands(name string) (signature, bool) {
	c, ok := map[string]signature{
		"addVar":            {"TL", func(_ *interpreter, a []argument) value { return stored(a[0].value) }},
		"addResult":         {"V", (*interpreter).addResult},
		"addParam":          {"LT", (*interpreter).addParam},
		"getQueryParamList": {"T", (*interpreter).queryList},
		"getListLen":        {"VT", (*interpreter).listLength},
		"itemFromList":      {"VLT", (*interpreter).itemFromList},
		"variableToList":    {"LT", nil},
		"AddvariableToJSON": {"LLT", nil},
		"variableFromJSON":  {"VLT", (*interpreter).fromJSON},
		"encodeSHA256": {"LT", func(in *interpreter, a []argument) value {
			sum := sha256.Sum256([]byte(in.str(a[0].value)))
			return hex.EncodeToString(sum[:])
		}},
		"encodeMD5": {"LT", func(in *interpreter, a []argument) value {
			sum := md5.Sum([]byte(in.str(a[0].value))) //nolint:gosec // the language has it
			return hex.EncodeToString(sum[:])
		}},
		"replace":  {"LLLT", (*interpreter).replacePattern},
		"getRegex": {"LLT", (*interpreter).findPattern},
		"raise": {"L", func(in *interpreter, a []argument) value {
			panic(in.fail(codeRaised, in.str(a[0].value), "raised"))
		}},
		"randomString":     {"lLT", (*interpreter).randomString},
		"getDateTime":      {"lllT", (*interpreter).now},
		"getTimeStamp":     {"LllT", (*interpreter).parseTime},
		"stampToDatetime":  {"LllT", (*interpreter).formatTime},
		"gather":           {"Ll", (*interpreter).gather},
		"registerEndpoint": {"", func(*interpreter, []argument) value { return nil }},
	}[name]
	return c, ok
}

// nameOf is the identifier that an argument in a T or V position names.
func nameOf(a *syntax.Arg) (string, bool) {
	if a == nil || a.Kind != syntax.ArgWord && a.Kind != syntax.ArgQuoted && a.Kind != syntax.ArgDollar {
		return "", false
	}
	return a.Text, isIdentifier(a.Text)
}

func isIdentifier(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return everyRune(s, func(c rune) bool { return c == '_' || letterOrDigit(c) })
}

// commandCall calls a command. assigned is the name left of `=` in target form; elsewhere a target that is given takes the
// value.
func (in *interpreter) commandCall(call *syntax.CommandCall, assigned string) value {
	soft := in.soft
	in.soft = false
	defer func() { in.soft = soft }()
	name := call.Name.Name
	c, known := commands(name)
	if !known {
		for _, a := range call.Args {
			in.argument(a)
		}
		panic(in.fail(codeCommand, "Command not found: "+name, "command"))
	}
	bound, target := in.bind(name, c.params, call)
	if assigned != "" {
		target = assigned
	}
	var args []argument
	for i, kind := range c.params {
		if kind != 'T' {
			args = append(args, in.commandArgument(name, kind, i, bound[i]))
		}
	}
	var v value
	switch name {
	case "variableToList":
		v = in.toList(args, target)
	case "AddvariableToJSON":
		v = in.toJSON(args, target)
	default:
		v = c.run(in, args)
	}
	if target != "" && assigned == "" {
		in.write(target, v)
	}
	return v
}

// bind puts arguments in their places. The target may be left out, except of a command alone on its line.
func (in *interpreter) bind(name, params string, call *syntax.CommandCall) (bound []*syntax.Arg, target string) {
	given := call.Args
	t := strings.IndexByte(params, 'T')
	leftOut := false
	if t >= 0 && call.Place != syntax.AsStatement {
		leftOut = len(given) < len(params)
		if !leftOut {
			_, isName := nameOf(given[t])
			leftOut = !isName
		}
	}
	classless := name == "randomString" && len(given)+int(whole(leftOut)) < len(params)
	bound = make([]*syntax.Arg, len(params))
	next := 0
	for i := range params {
		if leftOut && i == t || classless && i == 0 {
			continue
		}
		if next < len(given) && given[next].Kind != syntax.ArgEmpty {
			bound[i] = given[next]
		}
		next++
	}
	if t >= 0 {
		target, _ = nameOf(bound[t])
	}
	for i, kind := range params {
		if bound[i] == nil && (kind == 'L' || kind == 'V' || kind == 'T' && !leftOut) {
			in.leave("a command without an argument that it needs")
		}
	}
	return bound, target
}

func (in *interpreter) commandArgument(name string, kind rune, at int, a *syntax.Arg) argument {
	if a == nil {
		return argument{}
	}
	if kind == 'V' {
		if word, ok := nameOf(a); ok {
			v, there := in.lookup(word)
			return argument{value: v, given: there, words: a}
		}
	}
	switch {
	case name == "addParam" && a.Kind == syntax.ArgWord:
		return argument{value: a.Text, given: true}
	case name == "addVar" && a.Kind == syntax.ArgDollar:
		v, _ := in.lookup(a.Text)
		return argument{value: v, given: true}
	case name == "variableFromJSON" && at == 1 && a.Kind == syntax.ArgWord:
		return argument{given: true, words: a} // which is meant depends on the source
	}
	return argument{value: in.argument(a), given: true}
}

// argument reads an argument as a value: text that is none of the evaluated forms is its own text, and so is an expression
// with an undefined name.
func (in *interpreter) argument(a *syntax.Arg) value {
	if a == nil {
		return nil
	}
	switch a.Kind {
	case syntax.ArgQuoted, syntax.ArgRaw:
		return a.Text
	case syntax.ArgTemplate, syntax.ArgDollar:
		return in.eval(a.Expr)
	case syntax.ArgEmpty:
		return nil
	}
	if !in.allDefined(a.Expr) {
		return a.Text
	}
	return in.eval(a.Expr)
}

// stored is addVar: text of digits only becomes an int, if it fits.
func stored(v value) value {
	if s, ok := v.(string); ok && allDigits(s) {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i
		}
	}
	return v
}

func (in *interpreter) addResult(a []argument) value {
	name, _ := nameOf(a[0].words)
	v := in.deepCopy(a[0].value, 0)
	if in.child == 0 {
		in.set(in.results, name, v)
	}
	return nil
}

// needsNoLiteral leaves open what a text means that holds a list or a dict: literals inside text have a grammar of their
// own, and no generated program asks for it.
func (in *interpreter) needsNoLiteral(v value) {
	text, _ := v.(string)
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
		in.leave("text that holds a literal")
	}
}

func (in *interpreter) listLength(a []argument) value {
	if !a[0].given {
		return int64(0)
	}
	in.needsNoLiteral(a[0].value)
	return in.length(a[0].value)
}

func (in *interpreter) itemFromList(a []argument) value {
	v := a[0].value
	in.needsNoLiteral(v)
	l, ok := v.(*list)
	if !ok {
		panic(in.unfit("no list"))
	}
	number, ok := countsAs(a[1].value)
	if f, isFloat := number.(float64); isFloat {
		i, exact := floatWhole(f)
		number, ok = i, exact
	}
	if !ok {
		panic(in.unfit("index"))
	}
	at, there := in.position(number, len(l.items))
	if !there {
		panic(in.outOfRange())
	}
	return l.items[at]
}

func floatWhole(f float64) (int64, bool) {
	i := int64(f)
	return i, float64(i) == f && f >= -1<<63 && f < 1<<63
}

func (in *interpreter) toList(a []argument, target string) value {
	old, _ := in.lookup(target)
	l, ok := old.(*list)
	if !ok {
		l = newList()
	}
	if a[0].value != nil {
		in.grow(1)
		l.items = append(l.items, a[0].value)
	}
	return l
}

func (in *interpreter) toJSON(a []argument, target string) value {
	old, _ := in.lookup(target)
	d, ok := old.(*dict)
	if !ok {
		d = newDict()
	}
	in.set(d, in.str(a[0].value), a[1].value)
	return d
}

func (in *interpreter) fromJSON(a []argument) value {
	if !a[0].given {
		panic(in.unfit("unknown source"))
	}
	source := a[0].value
	if text, ok := source.(string); ok {
		parsed, valid := in.parseJSON(text)
		if !valid {
			parsed = nil
		}
		source = parsed
	}
	d, isDict := source.(*dict)
	key := a[1].value
	if w := a[1].words; w != nil {
		key = w.Text
		_, literally := value(nil), false
		if isDict {
			_, literally = in.find(d, w.Text)
		}
		if v, ok := in.lookup(w.Text); ok && isDict && !literally {
			key = v
		}
	}
	if !isDict {
		return nil
	}
	v, ok := in.find(d, key)
	if !ok {
		v, _ = in.find(d, in.str(key))
	}
	return v
}

// pattern compiles a regular expression of replace: a blank stands for any white space, an empty one for white space.
func pattern(text string) (*regexp.Regexp, bool) {
	if text == "" {
		text = " "
	}
	re, err := regexp.Compile(strings.ReplaceAll(text, " ", `\s`))
	return re, err == nil
}

func (in *interpreter) replacePattern(a []argument) value {
	source := in.str(a[0].value)
	re, ok := pattern(in.str(a[1].value))
	if !ok {
		return source
	}
	replacement := in.str(a[2].value)
	if strings.ContainsAny(replacement, `\$`) {
		in.leave("back-references")
	}
	return in.substitute(re, source, replacement)
}

// mostSubstituted bounds the text in which matches are looked for place by place.
const mostSubstituted = 1000

// substitute replaces every match, as Python does: one of nothing may stand right behind another.
func (in *interpreter) substitute(re *regexp.Regexp, source, replacement string) string {
	runes := []rune(source)
	if len(runes) > mostSubstituted {
		in.leave("replacing in a long text")
	}
	var out strings.Builder
	for at := 0; at <= len(runes); {
		found, longest := matchAt(re, source, at)
		if found >= 0 {
			out.WriteString(replacement)
		}
		if found == 0 && longest > 0 {
			in.leave("a pattern that would rather match nothing")
		}
		if found > 0 {
			at += found
			continue
		}
		if at < len(runes) {
			out.WriteRune(runes[at])
		}
		at++
	}
	return out.String()
}

// matchAt gives how many characters match from a place on, and how many could; less than none for no match.
func matchAt(re *regexp.Regexp, source string, at int) (found, longest int) {
	here := regexp.MustCompile(fmt.Sprintf(`\A(?s:.{%d})(%s)`, at, re))
	count := func() int {
		if m := here.FindStringSubmatch(source); m != nil {
			return utf8.RuneCountInString(m[1])
		}
		return -1
	}
	found = count()
	here.Longest()
	return found, count()
}

func (in *interpreter) findPattern(a []argument) value {
	re, err := regexp.Compile(in.str(a[1].value))
	if err != nil {
		panic(in.unfit("regular expression"))
	}
	matches := re.FindAllStringSubmatch(in.str(a[0].value), -1)
	if matches == nil {
		return nil
	}
	var out []string
	for _, m := range matches {
		if len(m) > 1 {
			m = m[1:]
		}
		out = append(out, strings.Join(m, ""))
	}
	return strings.Join(out, "")
}

func (in *interpreter) print(args []value) value {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = in.str(a)
	}
	in.log(entry{Command: "print", Line: in.line, Message: strings.Join(parts, " "), Printed: true})
	return nil
}

// task is what go or go_async started. It has run to its end at once: nothing it does can be seen before it is gathered.
type task struct {
	result   value
	failed   *failure
	block    bool
	globals  map[string]value
	order    []string
	vars     map[string]value
	gathered bool
}

// spawn runs a function isolated from the caller, on deep copies.
func (in *interpreter) spawn(name string, args []value) value {
	return in.isolated(false, func(child *interpreter) {
		child.frame.result = child.call(name, child.deepCopy(newList(args...), 0).(*list).items)
	})
}

func (in *interpreter) isolated(block bool, run func(*interpreter)) value {
	child := *in
	child.child++
	child.globals, child.order = map[string]value{}, slices.Clone(in.order)
	for name, v := range in.globals {
		if in.cyclic(v, map[any]bool{}) {
			in.leave("a task beside a variable that contains itself") // it fails only if the task may read that
		}
		child.globals[name] = in.deepCopy(v, 0)
	}
	child.frames, child.soft = nil, false
	child.frame = &frame{locals: in.frame.locals, vars: map[string]value{}}
	for name, v := range in.frame.vars {
		child.frame.vars[name] = in.deepCopy(v, 0)
	}
	t := &task{block: block}
	_, t.failed = child.protect(func() exit {
		run(&child)
		return goesOn
	})
	in.steps, in.held = child.steps, child.held
	t.result, t.globals, t.order, t.vars = child.frame.result, child.globals, child.order, child.frame.vars
	*in.tasks = append(*in.tasks, t)
	return handleText(len(*in.tasks) - 1)
}

// handleText is Any with a number in characters that nobody writes: a handle is opaque text.
func handleText(number int) string { return Any + string(rune(0xe100+number)) }

func (in *interpreter) spawnBlock(s *syntax.Async) {
	id, named := in.argument(s.ID).(string)
	if !named || s.ID.Kind != syntax.ArgQuoted {
		in.leave("a block without a plain name")
	}
	handle := in.isolated(true, func(child *interpreter) { child.stmts(s.Body, false) })
	in.blocks[id] = handle.(string)
}

func (in *interpreter) gather(a []argument) value {
	handle, _ := a[0].value.(string)
	if h, ok := in.blocks[handle]; ok {
		handle = h
	}
	for i, t := range *in.tasks {
		if handleText(i) != handle || t.gathered {
			continue
		}
		t.gathered = true
		if t.failed != nil {
			failed := *t.failed
			failed.command, failed.logged = in.command, in.line
			panic(&failed)
		}
		if !t.block {
			return t.result
		}
		in.leave("a block's variables coming back")
	}
	return nil
}
