package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
)

// remote are the flags of the commands that talk to a server.
type remote struct {
	server, tokenFile, caFile string
	certFile, keyFile         string // of the client's own certificate
	signFile, signID          string // of the key that signs requests
	timeoutMS                 int64
	output                    string
	outputs                   []string // that there are
}

const (
	defaultTimeoutMS = 30_000
	maxTimeoutMS     = 24 * 60 * 60 * 1000
)

// flags gives a command the flags about a server. The first of the outputs, text
// and json if none is named, is the usual one.
func (r *remote) flags(cmd *cobra.Command, outputs ...string) {
	r.outputs = outputs
	if len(outputs) == 0 {
		r.outputs = []string{"text", "json"}
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&r.server, "server", "", "`URL` of the server; by default "+defaultServer+" ["+config.ServerVariable+"]")
	flags.StringVar(&r.tokenFile, "token-file", "", "`file` that holds a key of the server, or its token ["+config.TokenFileVariable+"]")
	caFlag(flags, &r.caFile)
	flags.StringVar(&r.certFile, "client-cert-file", "", "PEM `file` of a certificate to be known by ["+config.ClientCertFileVariable+"]")
	flags.StringVar(&r.keyFile, "client-key-file", "", "PEM `file` of its private key ["+config.ClientKeyFileVariable+"]")
	flags.StringVar(&r.signFile, "request-key-file", "", "`file` of a private key to sign requests with, such as avap keygen writes")
	flags.StringVar(&r.signID, "request-key-id", "", "`name` by which the server knows that key")
	flags.Int64Var(&r.timeoutMS, "timeout-ms", defaultTimeoutMS, "most time for a request, attempts included")
	flags.StringVar(&r.output, "output", r.outputs[0], "form of the output: "+strings.Join(r.outputs, " or "))
	completeFlag(cmd, "output", r.outputs...)
}

// caFlag is the flag for those who vouch for a server.
func caFlag(flags *pflag.FlagSet, file *string) {
	flags.StringVar(file, "ca-file", "", "PEM `file` of certificates to trust besides the system's ["+config.CAFileVariable+"]")
}

// check looks at the flags that every command has.
func (r *remote) check() error {
	if r.timeoutMS < 1 || r.timeoutMS > maxTimeoutMS {
		return usageError("--timeout-ms is %d; it takes a whole number from 1 to %d", r.timeoutMS, maxTimeoutMS)
	}
	return chosen("output", r.output, r.outputs...)
}

func (r *remote) timeout() time.Duration { return time.Duration(r.timeoutMS) * time.Millisecond }

// images gives the flags to what talks to registries of images.
func (r *remote) images(plainHTTP bool) images { return images{plainHTTP, r.timeout(), r.output} }

// command makes a command that asks a server something.
func (r *remote) command(p *Process, cmd *cobra.Command, run func(context.Context, *client.Client, []string) error, outputs ...string) *cobra.Command {
	r.flags(cmd, outputs...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := r.check(); err != nil {
			return err
		}
		c, err := r.open(p)
		if err != nil {
			return err
		}
		defer c.Close()
		return refused(run(cmd.Context(), c, args))
	}
	return cmd
}

const defaultServer = "http://127.0.0.1:8888"

// open makes the client that the flags describe.
func (r *remote) open(p *Process) (*client.Client, error) {
	o := client.Options{Timeout: r.timeout()}
	o.Server = orVariable(p, r.server, config.ServerVariable, defaultServer)
	if file := orVariable(p, r.tokenFile, config.TokenFileVariable, ""); file != "" {
		token, err := config.ReadToken(file)
		if err != nil {
			return nil, usageError("--token-file %s: %v", file, err)
		}
		o.Token = token
	}
	for _, f := range []struct {
		flag, value, variable string
		content               *[]byte
	}{
		{"ca-file", r.caFile, config.CAFileVariable, &o.CAs},
		{"client-cert-file", r.certFile, config.ClientCertFileVariable, &o.Cert},
		{"client-key-file", r.keyFile, config.ClientKeyFileVariable, &o.Key},
	} {
		content, err := pemOf(p, f.flag, f.value, f.variable)
		if err != nil {
			return nil, err
		}
		*f.content = content
	}
	if (len(o.Cert) > 0) != (len(o.Key) > 0) {
		return nil, usageError("a certificate to be known by takes both --client-cert-file and --client-key-file")
	}
	if err := r.signing(p, &o); err != nil {
		return nil, err
	}
	c, err := client.New(o)
	if err != nil {
		return nil, usageError("%v", err)
	}
	return c, nil
}

// pemOf reads the file that a flag or a variable names; nil if neither does.
func pemOf(p *Process, flag, value, variable string) ([]byte, error) {
	file := orVariable(p, value, variable, "")
	if file == "" {
		return nil, nil
	}
	content, err := readFile(file)
	if err != nil {
		return nil, usageError("--%s %s", flag, fileProblem(file, err))
	}
	return content, nil
}

// signing has the client sign its requests, if the flags say so.
func (r *remote) signing(p *Process, o *client.Options) error {
	if r.signFile == "" && r.signID == "" {
		return nil
	}
	if r.signFile == "" || r.signID == "" {
		return usageError("signing takes both --request-key-file and --request-key-id")
	}
	key, err := readPrivateKey(p, r.signFile, "")
	if err != nil {
		return err
	}
	o.Token = "" // the server would look at nothing else
	o.Sign = func(request *http.Request, body []byte) (map[string]string, error) {
		m := &auth.Message{
			Method: request.Method, Scheme: request.URL.Scheme, Authority: request.URL.Host,
			Path: request.URL.EscapedPath(), Query: request.URL.RawQuery, Body: body,
		}
		return m.Signature(r.signID, key.SignMessage, time.Now())
	}
	return nil
}

// orVariable is a flag's value, or that of an environment variable.
func orVariable(p *Process, flag, name, otherwise string) string {
	if flag != "" {
		return flag
	}
	for _, entry := range p.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" {
			return value
		}
	}
	return otherwise
}

// refused words what a server did not do, and passes everything else. The code
// of the exit is that of the same failure without a server.
func refused(err error) error {
	if unreachable, ok := errors.AsType[*client.UnreachableError](err); ok {
		return failed(exitUnavailable, failureTold{Message: unreachable.Error(), NextStep: unreachableStep(unreachable)})
	}
	if strange, ok := errors.AsType[*client.StrangeError](err); ok {
		return failed(exitUnavailable, failureTold{Message: strange.Error(), NextStep: "Check --server: is it an AVAP server, and is there something in front of it?"})
	}
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	var b strings.Builder
	b.WriteString(printable(e.Error())) // what others have said may be in it
	if e.Suggestion != "" {
		fmt.Fprintf(&b, "\n    suggestion: %s", printable(e.Suggestion))
	}
	for _, d := range e.Diagnostics {
		place := ""
		if d.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d: ", d.File, d.Line, d.Column)
		}
		if d.Message != e.Problem.Error {
			fmt.Fprintf(&b, "\n    %s%s: %s [%s]", place, d.Severity, printable(d.Message), d.Code)
		}
	}
	if next := nextStep(e); next != "" {
		fmt.Fprintf(&b, "\n    next step: %s", next)
	}
	told := failureTold{Code: e.Code, Message: e.Problem.Error, Suggestion: e.Suggestion, NextStep: nextStep(e)}
	return &exitError{refusalCode(e), b.String(), told}
}

// unreachableStep is what a reader can do where there was no answer.
func unreachableStep(e *client.UnreachableError) string {
	step := "Check --server, and whether the server runs."
	switch {
	case errors.Is(e, context.DeadlineExceeded):
		step = "Check whether the server is busy, or what lies between; --timeout-ms gives it more time."
	case certificateStep(e) != "":
		step = certificateStep(e)
	case errors.Is(e, io.EOF) && strings.HasPrefix(e.Server, "http:"):
		step = "Check --server: one that speaks TLS is asked with https://."
	}
	if e.Sent {
		step += " What was asked for may have been done all the same: look before you ask again."
	}
	return step
}

// certificateStep is what a reader can do where the server's certificate is not
// believed; empty where that is not the reason.
func certificateStep(err error) string {
	if _, strangerSigned := errors.AsType[x509.UnknownAuthorityError](err); strangerSigned {
		return "Name the certificate of the authority that signed the server's with --ca-file, or in " + config.CAFileVariable + "."
	}
	if _, otherName := errors.AsType[x509.HostnameError](err); otherName {
		return "Ask for the server under a name that is in its certificate."
	}
	return ""
}

// clientSteps are the next steps of problems whose own speak of HTTP.
var clientSteps = map[diag.Code]string{
	diag.Unauthorized: "Name the file that holds a key of the server, or its token, with --token-file, or in " + config.TokenFileVariable +
		"; who signs requests or shows a certificate becomes known by avap key create NAME with --public-key or --subject.",
	diag.ScopeMissing:    "Use a key that may do this; avap key create NAME --scope SCOPE makes one.",
	diag.NoSuchKey:       "avap key list shows the keys there are.",
	diag.NoSuchCommand:   "avap list shows the commands, avap versions NAME the versions of one.",
	diag.Conflict:        "Look at what is there, with avap list, avap versions NAME or avap key list, and ask for what fits it.",
	diag.CommandUnusable: "avap versions NAME lists the versions; avap activate NAME VERSION makes one run, and avap enable NAME a command that is disabled.",
	diag.NoSuchSigner:    "avap signer list shows the signers there are.",
	diag.SignerUnknown: "avap signer list shows whose signatures the server takes; avap signer add NAME --key FILE --prefix PREFIX adds a signer, " +
		"with --trusted-compiler if the key signs what avap build makes and nothing else.",
	diag.RequestTooLarge: "Send less; of a module, a server takes registry.artifact_limit_bytes.",
	diag.NoCapacity:      "Try again in some seconds.",
	diag.TooManyRequests: "Try again when an earlier command has ended.",
}

// nextStep is what a reader of the command line can do about a refusal.
func nextStep(e *client.Error) string {
	if step, ok := clientSteps[diag.Code(e.Code)]; ok {
		return step
	}
	return e.NextStep
}

func refusalCode(e *client.Error) int {
	code := exitCode(diag.Code(e.Code))
	switch {
	case code != exitScript:
		return code
	case e.Status == http.StatusUnauthorized, e.Code == string(diag.ScopeMissing): // other credentials may do
		return exitUsage
	case e.Status == http.StatusTooManyRequests, e.Status >= http.StatusInternalServerError:
		return exitUnavailable
	}
	return exitScript
}

// limitFlags are those for limits of something.
func limitFlags(flags *pflag.FlagSet, l *api.Limits, of string) {
	flags.Int64Var(&l.Fuel, "fuel", 0, "most fuel of executions of "+of)
	flags.Int64Var(&l.TimeMS, "time-ms", 0, "most time of executions of "+of)
	flags.Int64Var(&l.MemoryBytes, "memory-bytes", 0, "most memory of executions of "+of)
	flags.Int64Var(&l.CallDepth, "call-depth", 0, "deepest nesting of calls in executions of "+of)
	flags.Int64Var(&l.OutputBytes, "output-bytes", 0, "largest answer of executions of "+of)
}

// commandArgument takes NAME apart, or NAME@VERSION where versions are allowed.
func commandArgument(arg string) (name string, version int, err error) {
	name, number, found := strings.Cut(arg, "@")
	if name == "" {
		return "", 0, usageError("%q is no NAME or NAME@VERSION", arg)
	}
	if !found {
		return name, 0, nil
	}
	version, err = versionArgument(number)
	return name, version, err
}

// table prints rows with tabs between their cells in columns.
func table(p *Process, head string, rows []string) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, row := range rows {
		fmt.Fprintln(w, row)
	}
	return written(w.Flush())
}

// printable keeps what a stranger wrote from steering the terminal, and a cell in
// its row.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return '?'
	}, text)
}

// shortDigest is enough of a digest for a person to tell two apart.
func shortDigest(digest string) string { return digest[:min(len(digest), 12)] }

// parameters writes an interface as a call would look.
func parameters(name string, list []api.Parameter) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	return name + "(" + strings.Join(names, ", ") + ")"
}

// listed is a list in one cell.
func listed(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ",")
}
