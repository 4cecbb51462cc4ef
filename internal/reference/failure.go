package reference

// Codes of failures, as docs/errors.md lists them.
const (
	codeName     = "AVAP3002"
	codeCommand  = "AVAP3003"
	codeDivision = "AVAP3004"
	codeRange    = "AVAP3005"
	codeType     = "AVAP3006"
	codeValue    = "AVAP3007"
	codeOverflow = "AVAP3008"
	codeKey      = "AVAP3009"
	codeRaised   = "AVAP3010"
	codeDepth    = "AVAP4004"
)

// Any stands in a message for wording that the definition leaves free. It is one character of Unicode's private area, so
// that it survives whatever a script does with a message short of taking it apart.
const Any = "\ue000"

// failure is an error of the script on its way to a try, or out. why is for whoever debugs this package.
type failure struct {
	code, message, why string
	line, column       int
	command            string // what the log calls the statement
	fatal              bool   // cannot be caught
	logged             int    // the line in the log, where gather raises the failure of another place again
}

// open ends an evaluation that the definition does not answer.
type open struct{ question string }

func (in *interpreter) fail(code, message, why string) *failure {
	return &failure{code: code, message: message, why: why, line: in.line, column: in.column, command: in.command}
}

// mistyped is the failure of an operation that values of these types do not have.
func (in *interpreter) mistyped(why string) *failure { return in.fail(codeType, Any, why) }

// unfit is the failure of a builtin, method or command that cannot use its arguments.
func (in *interpreter) unfit(why string) *failure { return in.fail(codeValue, Any, why) }

func (in *interpreter) overflow() *failure { return in.fail(codeOverflow, Any, "integer overflow") }

func (in *interpreter) dividedByZero() *failure {
	return in.fail(codeDivision, "division by zero", "division by zero")
}

func (in *interpreter) outOfRange() *failure {
	return in.fail(codeRange, "list index out of range", "index")
}

func (in *interpreter) missingKey() *failure { return in.fail(codeKey, Any, "key") }

func (in *interpreter) undefined(name string) *failure {
	return in.fail(codeName, "name '"+name+"' is not defined", "name")
}

// leave gives up: the script asked what the definition leaves open.
func (in *interpreter) leave(question string) { panic(&open{question}) }

// Bounds that end an evaluation which the limits of an execution would end somewhere else in every engine.
const (
	mostSteps = 2_000_000
	mostBytes = 4 << 20
	mostCalls = 1000
)

// step counts the work done.
func (in *interpreter) step() {
	if in.steps++; in.steps > mostSteps {
		in.leave("more work than a test is worth")
	}
}

// grow counts what a result is about to hold.
func (in *interpreter) grow(units int) {
	if in.held += units; units > mostBytes || in.held > 16*mostBytes {
		in.leave("more memory than a test is worth")
	}
}
