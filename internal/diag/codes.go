package diag

import (
	"cmp"
	"maps"
	"slices"
)

// Code identifies a kind of diagnostic for good. Codes are never reused.
type Code string

// Syntax: the text is not a script.
const (
	SyntaxError       Code = "AVAP1001"
	UnexpectedText    Code = "AVAP1002"
	UnclosedBracket   Code = "AVAP1003"
	UnclosedString    Code = "AVAP1004"
	UnclosedComment   Code = "AVAP1005"
	BadEncoding       Code = "AVAP1006"
	BadNumber         Code = "AVAP1007"
	BadEscape         Code = "AVAP1008"
	NestingTooDeep    Code = "AVAP1009"
	BadTarget         Code = "AVAP1010"
	UnclosedBlock     Code = "AVAP1011"
	SurplusMarker     Code = "AVAP1012"
	BadTry            Code = "AVAP1013"
	MisplacedJump     Code = "AVAP1014"
	MisplacedFunction Code = "AVAP1015"
	MisplacedImport   Code = "AVAP1016"
	UselessExpression Code = "AVAP1017"
	BadInterpolation  Code = "AVAP1018"
	TooManyErrors     Code = "AVAP1019"
	EmptyScript       Code = "AVAP1020"
)

// Checks: the text is a script, but its names or its structure do not fit.
const (
	UnknownComparator  Code = "AVAP2001"
	DuplicateFunction  Code = "AVAP2002"
	KeywordName        Code = "AVAP2003"
	DuplicateParameter Code = "AVAP2004"
	BadArguments       Code = "AVAP2005"
	BadKeywordArgument Code = "AVAP2006"
	NotAFunction       Code = "AVAP2007"
	NoResult           Code = "AVAP2008"
	MissingArgument    Code = "AVAP2009"
	BadTargetArgument  Code = "AVAP2010"
	ImportFailed       Code = "AVAP2011"
	BadEndpoint        Code = "AVAP2012"
	UnknownMethod      Code = "AVAP2013"
	TooComplex         Code = "AVAP2015"
)

// Warnings: the script runs, but does not do what it seems to.
const (
	UnusedVariable Code = "AVAP2101"
	NeverSet       Code = "AVAP2102"
	Unreachable    Code = "AVAP2103"
	QuotedDigits   Code = "AVAP2104"
	UnknownCommand Code = "AVAP2105"
	UnsafeSQL      Code = "AVAP2106"
)

// Run time: the script failed.
const (
	ScriptError     Code = "AVAP3001"
	UndefinedName   Code = "AVAP3002"
	CommandNotFound Code = "AVAP3003"
	DivisionByZero  Code = "AVAP3004"
	IndexRange      Code = "AVAP3005"
	TypeMismatch    Code = "AVAP3006"
	BadValue        Code = "AVAP3007"
	IntegerOverflow Code = "AVAP3008"
	KeyMissing      Code = "AVAP3009"
	Raised          Code = "AVAP3010"
	HostFailure     Code = "AVAP3011"
	Forbidden       Code = "AVAP3012"
)

// Limits: the script was stopped. A script cannot catch these.
const (
	OutOfFuel       Code = "AVAP4001"
	DeadlineReached Code = "AVAP4002"
	OutOfMemory     Code = "AVAP4003"
	RecursionLimit  Code = "AVAP4004"
	OutputLimit     Code = "AVAP4005"
	SourceTooLarge  Code = "AVAP4006"
	Cancelled       Code = "AVAP4007"
	MemoryBusy      Code = "AVAP4008"
)

// Requests: nothing was run.
const (
	BadJSON         Code = "AVAP5001"
	BadFieldType    Code = "AVAP5002"
	RequestTooLarge Code = "AVAP5003"
	BadCharset      Code = "AVAP5004"
	NoCapacity      Code = "AVAP5005"
	MissingScript   Code = "AVAP5006"
	NoSuchRoute     Code = "AVAP5007"
	WrongMethod     Code = "AVAP5008"
	Unauthorized    Code = "AVAP5009"
	BadRequest      Code = "AVAP5010"
	SlowRequest     Code = "AVAP5011"
	HeadersTooLarge Code = "AVAP5012"
	BadBodyType     Code = "AVAP5013"
	BadFieldValue   Code = "AVAP5014"
	CrossSite       Code = "AVAP5015"
	Conflict        Code = "AVAP5016"
	NoSuchApp       Code = "AVAP5017"
	TooManyRequests Code = "AVAP5018"

	NoSuchCommand       Code = "AVAP5019"
	CommandUnusable     Code = "AVAP5020"
	PolicyRefused       Code = "AVAP5021"
	Revoked             Code = "AVAP5022"
	StoreUnavailable    Code = "AVAP5023"
	StoreFull           Code = "AVAP5024"
	ArtifactUnavailable Code = "AVAP5025"
	ArtifactDamaged     Code = "AVAP5026"
	NoSuchSigner        Code = "AVAP5027"

	NoSuchExecution Code = "AVAP5028"
	ExecutionOver   Code = "AVAP5029"

	NoSuchKey       Code = "AVAP5030"
	ScopeMissing    Code = "AVAP5031"
	RateLimited     Code = "AVAP5040"
	QuotaUsed       Code = "AVAP5041"
	Overloaded      Code = "AVAP5042"
	KeyReused       Code = "AVAP5043"
	KeyBusy         Code = "AVAP5044"
	BadKey          Code = "AVAP5045"
	BodyComplex     Code = "AVAP5046"
	DuplicateMember Code = "AVAP5047"
	KeyUncertain    Code = "AVAP5048"

	AuditUnavailable Code = "AVAP5055"
)

// Modules: a WebAssembly module that this server did not compile is refused.
const (
	ModuleMalformed Code = "AVAP6001"
	ModuleInvalid   Code = "AVAP6002"
	ModuleFeature   Code = "AVAP6003"
	ModuleLimit     Code = "AVAP6004"
	ModuleImport    Code = "AVAP6005"
	ModuleExport    Code = "AVAP6006"
	ModuleManifest  Code = "AVAP6007"

	NotSigned          Code = "AVAP6008"
	SignerUnknown      Code = "AVAP6009"
	SignatureInvalid   Code = "AVAP6010"
	SignatureMalformed Code = "AVAP6011"
	KeyUnusable        Code = "AVAP6012"
	ModuleUnusable     Code = "AVAP6013"
)

// Internal is a defect of the product itself.
const Internal Code = "AVAP9001"

// Entry explains a code to a reader: what it is, and what to do next.
type Entry struct {
	Code Code
	// Title names the kind of problem in a few words.
	Title string
	// Next is the reader's next step, one sentence.
	Next string
	// Explanation and Example come from explain.txtar; a kind of problem that
	// no short script shows has no example.
	Explanation string
	Example     *Example
}

// table is the one list of all codes. A code without a line here, or without
// an explanation in explain.txtar, fails the package's test.
var table = map[Code]Entry{
	SyntaxError:       {Title: "Syntax error", Next: "Correct the marked place; docs/language.md shows the form of every statement and expression."},
	UnexpectedText:    {Title: "Line not understood", Next: "Write an assignment, a command call or a block marker; put plain text in quotes."},
	UnclosedBracket:   {Title: "Bracket not closed", Next: "Close the bracket that is marked, or remove it."},
	UnclosedString:    {Title: "Text not closed", Next: "Close the text with the quote it began with, on the same line; use backticks for text over several lines."},
	UnclosedComment:   {Title: "Comment not closed", Next: "End the comment with */, or put text that holds /* in quotes."},
	BadEncoding:       {Title: "Source is not clean UTF-8", Next: "Save the script as UTF-8 without NUL bytes."},
	BadNumber:         {Title: "Number not valid", Next: "Write a number of at most 64 bits without leading zeros, or put it in quotes if it is text."},
	BadEscape:         {Title: "Escape not valid", Next: "Complete the escape sequence, or double its backslash."},
	NestingTooDeep:    {Title: "Nested too deeply", Next: "Split the expression with variables, or move inner blocks into functions."},
	BadTarget:         {Title: "Cannot assign to this", Next: "Assign to a name or to an element such as m[\"k\"], one per line."},
	UnclosedBlock:     {Title: "Block not closed", Next: "Close the block with end(), endLoop() or } at the same level."},
	SurplusMarker:     {Title: "Block marker without a block", Next: "Remove the marker, or open its block before it."},
	BadTry:            {Title: "try and exception do not match", Next: "Give each try() exactly one exception(v) at its own level."},
	MisplacedJump:     {Title: "Jump out of place", Next: "Use break and continue inside a loop only, and no jump that leaves a go_async block."},
	MisplacedFunction: {Title: "Function out of place", Next: "Move the function to the top level of the script."},
	MisplacedImport:   {Title: "Import out of place", Next: "Move the import to the top level of the script."},
	UselessExpression: {Title: "Expression without effect", Next: "Assign the value to a variable, or call something."},
	BadInterpolation:  {Title: "Interpolation not valid", Next: "Put one complete expression between the braces."},
	TooManyErrors:     {Title: "Too many errors", Next: "Correct the errors above first."},
	EmptyScript:       {Title: "Script is empty", Next: "Send at least one character of source."},

	UnknownComparator:  {Title: "Unknown comparator", Next: "Use one of = == != < > <= >= in, quoted or bare."},
	DuplicateFunction:  {Title: "Function declared twice", Next: "Rename or remove one of the two."},
	KeywordName:        {Title: "Keyword used as a name", Next: "Choose another name."},
	DuplicateParameter: {Title: "Parameter declared twice", Next: "Rename one of the two."},
	BadArguments:       {Title: "Arguments do not fit", Next: "Compare the call with its description in the command reference."},
	BadKeywordArgument: {Title: "Keyword argument not accepted", Next: "Pass the argument by position; only reverse, start, default and key have names."},
	NotAFunction:       {Title: "Not a function", Next: "Declare the function in this script or in an imported one."},
	NoResult:           {Title: "Command has no result", Next: "Write the command on a line of its own."},
	MissingArgument:    {Title: "Argument missing", Next: "Add the argument; the command reference lists the required ones."},
	BadTargetArgument:  {Title: "Target is not a name", Next: "Give a variable's name, bare or quoted."},
	ImportFailed:       {Title: "Import failed", Next: "Check the path, and that no script imports itself."},
	BadEndpoint:        {Title: "Endpoint not valid", Next: "Check path, method and the functions the endpoint names."},
	UnknownMethod:      {Title: "Unknown method", Next: "Use a method the value's type has; docs/language.md lists them."},
	TooComplex:         {Title: "Script too complex", Next: "Split the script into several, or move parts of it into functions."},

	UnusedVariable: {Title: "Variable not used", Next: "Read the variable, add it to the results, or remove the line."},
	NeverSet:       {Title: "Variable not set", Next: "Check the spelling, or send the variable with the request."},
	Unreachable:    {Title: "Statement never reached", Next: "Remove the statement, or move it before the one that leaves."},
	QuotedDigits:   {Title: "Quoted digits become a number", Next: "Write the number without quotes, or assign the text with = to keep it."},
	UnknownCommand: {Title: "Unknown command", Next: "Check the spelling and case; a registered command is found when the line is reached."},
	UnsafeSQL:      {Title: "Values in SQL text", Next: "Write the SQL as a template; the values in it are bound and cannot change the statement."},

	ScriptError:     {Title: "Script failed", Next: "Look at the marked line, or catch the error with try() and exception(e)."},
	UndefinedName:   {Title: "Name not defined", Next: "Assign the variable before it is read."},
	CommandNotFound: {Title: "Command not found", Next: "Check the spelling and case, or register the command."},
	DivisionByZero:  {Title: "Division by zero", Next: "Test the divisor before dividing."},
	IndexRange:      {Title: "Index out of range", Next: "Test the index against the length first."},
	TypeMismatch:    {Title: "Types do not fit", Next: "Convert one side with str(), int() or float()."},
	BadValue:        {Title: "Value not valid", Next: "Check the value given to the command or builtin."},
	IntegerOverflow: {Title: "Integer overflow", Next: "Use floats, or keep numbers within 64 bits."},
	KeyMissing:      {Title: "Key missing", Next: "Read the key with get(key, default)."},
	Raised:          {Title: "Error raised by the script", Next: "See the message; the script raised it itself."},
	HostFailure:     {Title: "Command failed", Next: "See the message; the service the command talks to may be unreachable."},
	Forbidden:       {Title: "Not permitted", Next: "Ask the operator to allow it in the configuration."},

	OutOfFuel:       {Title: "Out of fuel", Next: "Do less work per request, or ask for a higher fuel limit."},
	DeadlineReached: {Title: "Out of time", Next: "Do less work per request, or ask for a longer time limit."},
	OutOfMemory:     {Title: "Out of memory", Next: "Hold less data at once, or ask for a higher memory limit."},
	RecursionLimit:  {Title: "Recursion too deep", Next: "Check that the recursion ends, or use a loop."},
	OutputLimit:     {Title: "Output too large", Next: "Return fewer or smaller results."},
	SourceTooLarge:  {Title: "Source too large", Next: "Split the script, or raise the source limit."},
	MemoryBusy:      {Title: "No memory left for scripts", Next: "Try again after the time in the Retry-After header, or hold less data at once."},
	Cancelled:       {Title: "Cancelled", Next: "Send the request again if the result is still wanted."},

	BadJSON:         {Title: "Body is not valid JSON", Next: "Correct the body where the message says; GET /api/v1/openapi.json tells what each route takes."},
	BadFieldType:    {Title: "Member has the wrong type", Next: "Check the member's type in the API reference."},
	RequestTooLarge: {Title: "Request too large", Next: "Send a smaller body."},
	BadCharset:      {Title: "Encoding not supported", Next: "Send the body as UTF-8."},
	NoCapacity:      {Title: "No capacity", Next: "Try again after the time in the Retry-After header."},
	MissingScript:   {Title: "Script missing", Next: "Send the source in the script member."},
	NoSuchRoute:     {Title: "No such route", Next: "Check the path; GET /api/v1/openapi.json lists the routes."},
	WrongMethod:     {Title: "Method not allowed", Next: "Use one of the methods in the Allow header."},
	Unauthorized:    {Title: "Not known who asks", Next: "Send a key of this server, or its token, as Authorization: Bearer <key>; avap key create makes one."},
	BadRequest:      {Title: "Request not understood", Next: "Send a well-formed HTTP/1.1 request."},
	SlowRequest:     {Title: "Request too slow", Next: "Send the whole request within the server's read timeout."},
	HeadersTooLarge: {Title: "Headers too large", Next: "Send fewer or shorter headers, or a shorter query string."},
	BadBodyType:     {Title: "Body type not supported", Next: "Send application/json, plain or compressed with gzip."},
	BadFieldValue:   {Title: "Name or value not accepted", Next: "Choose a name or a value that the message allows."},
	CrossSite:       {Title: "Request from another site", Next: "Call the API from the same origin, or from a program that is no browser."},
	Conflict:        {Title: "Conflict with what is there", Next: "Look at what the server has now, and send a request that fits it, or change that first."},
	TooManyRequests: {Title: "Too many requests at once", Next: "Send the next request when an earlier one is answered, or try again after the time in the Retry-After header."},
	NoSuchApp:       {Title: "No such app", Next: "GET /api/v1/apps lists the apps there are."},
	NoSuchSigner:    {Title: "No such signer", Next: "GET /api/v1/signers lists the signers there are."},

	NoSuchCommand:       {Title: "No such command", Next: "GET /api/v1/commands lists the commands there are."},
	CommandUnusable:     {Title: "Command not in service", Next: "Activate a version of the command, or enable it."},
	PolicyRefused:       {Title: "Refused by the trust policy", Next: "Have the module signed by a signer who may sign for this name, or let the operator change what the signer may do."},
	Revoked:             {Title: "Revoked", Next: "Build and sign the command anew, with a key that is trusted, and upload that."},
	StoreUnavailable:    {Title: "Store not reachable", Next: "Try again after the time in the Retry-After header; commands go on running meanwhile."},
	StoreFull:           {Title: "Store full", Next: "Make room where the store keeps its data, and try again."},
	ArtifactUnavailable: {Title: "Artifact not to be had", Next: "Try again after the time in the Retry-After header; if it stays so, upload the artifact again."},
	ArtifactDamaged:     {Title: "Artifact damaged", Next: "Upload the artifact again, and have the place where it is stored looked at."},

	NoSuchExecution: {Title: "No such execution", Next: "GET /api/v1/executions lists those that run; of those that have ended the server keeps executions.kept."},
	ExecutionOver:   {Title: "Execution has ended", Next: "GET /api/v1/executions/{id} tells what became of it."},

	NoSuchKey:       {Title: "No such key", Next: "GET /api/v1/keys lists the keys there are."},
	ScopeMissing:    {Title: "Scope missing", Next: "Use a key that may do this, or have one made by somebody who may, with the scope that the message names."},
	RateLimited:     {Title: "Requests too often", Next: "Send the next request after the time in the Retry-After header; RateLimit-Policy tells how often they may come."},
	QuotaUsed:       {Title: "Quota used up", Next: "Try again after the time in the Retry-After header, or ask the operator for a larger quota."},
	Overloaded:      {Title: "Server overloaded", Next: "Try again after the time in the Retry-After header."},
	KeyReused:       {Title: "Idempotency-Key of another request", Next: "Give each request a key of its own, and send it again only with the same method, path and body."},
	KeyBusy:         {Title: "Request is being answered", Next: "Try again after the time in the Retry-After header; the answer is then sent again."},
	BadKey:          {Title: "Idempotency-Key not valid", Next: "Send one key of 1 to 255 visible characters, such as a UUID, with a request whose answer is one document."},
	BodyComplex:     {Title: "Body too complex", Next: "Send fewer members, or nest them less deeply."},
	DuplicateMember: {Title: "Member twice", Next: "Give every member of an object a name of its own."},
	KeyUncertain:    {Title: "Outcome of the request not known", Next: "Look what became of it; if it is to be done once more, send it with another Idempotency-Key."},

	AuditUnavailable: {Title: "Audit log not available", Next: "Try again; where it stays so, the operator of the server looks at the room on its disk and at its database."},

	ModuleMalformed: {Title: "Not a WebAssembly module", Next: "Build the module again; the file is damaged or of another kind."},
	ModuleInvalid:   {Title: "Module not valid", Next: "Run a validator such as wasm-validate on the module, and report the defect to the maker of the compiler."},
	ModuleFeature:   {Title: "Feature not admitted", Next: "Build the module for WebAssembly 2.0 without vectors, threads and later proposals."},
	ModuleLimit:     {Title: "Module too large", Next: "Make the part that the message names smaller, or have the compiler inline and unroll less."},
	ModuleImport:    {Title: "Import not admitted", Next: "Import functions and memory of the library, and functions of the host that the manifest declares, with exactly their types."},
	ModuleExport:    {Title: "Exports do not fit", Next: "Of a module of avap build, add the signer with --trusted-compiler. Of another, export run and what the manifest declares, and no memory, table, global or imported function."},
	ModuleManifest:  {Title: "Manifest does not fit", Next: "Write a manifest that describes this module; its form is the type Manifest in the package runtime/abi, and docs/architecture.md has a module with one."},
	ModuleUnusable:  {Title: "Module cannot be run", Next: "Build the module again, with the version of avap that the server has."},

	NotSigned:          {Title: "Module not signed", Next: "Sign the module with avap sign."},
	SignerUnknown:      {Title: "Signed by nobody known", Next: "Give the public key of the signer, to a server with PUT /api/v1/signers/{name}, or have the module signed by somebody who is trusted."},
	SignatureInvalid:   {Title: "Changed after it was signed", Next: "Do not use the module; get it again from its maker, or build and sign it again."},
	SignatureMalformed: {Title: "Signature not readable", Next: "Get the module again, or sign it again; the signature is damaged or of another kind."},
	KeyUnusable:        {Title: "Key not usable", Next: "Give a key of Ed25519, such as avap keygen makes, and its passphrase if it has one."},

	Internal: {Title: "Internal error", Next: "Report it to the operator with the request's identifier."},
}

// Lookup returns the table's entry for a code.
func Lookup(code Code) (Entry, bool) {
	e, ok := table[code]
	e.Code = code
	e.Explanation, e.Example = explanations().of(code)
	return e, ok
}

// Entries returns the whole table in the order of the codes.
func Entries() []Entry {
	out := make([]Entry, 0, len(table))
	for _, code := range slices.SortedFunc(maps.Keys(table), cmp.Compare[Code]) {
		e, _ := Lookup(code)
		out = append(out, e)
	}
	return out
}
