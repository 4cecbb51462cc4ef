package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/server"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

// runFlags are the flags of run.
type runFlags struct {
	vars, params   []string
	varsJSON, body string
	limits         config.Limits
	logs, stats    bool
	untrusted      bool
	keys           []string
	output         string

	dataDir, dataURLFile, allow, connectors, zone string
}

func runCommand(p *Process) *cobra.Command {
	f := runFlags{limits: config.Default().Limits, dataDir: config.Default().DataDir}
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a script or a compiled module and print its results",
		Long: `Run a script, or a module that avap build made, and print its results. A file
named - is standard input.

A module that avap build made is trusted to count what it computes. With
--untrusted it is one that another compiler made: it is validated, held to what a
module may import and export, and gets counters of its own. A module of avap
build has such already and is refused then.

With --key, a module is run only if one of the keys signed it; one that nobody
signed, or that was changed since, ends with exit code 6. Without --key anybody's
module is run, but one that carries signatures and is not what they are about is
refused in the same way.

What the script prints goes to standard error. With --output answer the whole
document is printed that the server would send, logs and variables included.

Of the environment variables of avap serve, those that begin with AVAP_DATA_,
AVAP_EGRESS_, AVAP_SQL_, AVAP_TIME_ and AVAP_CONNECTORS_ hold here as well; a
flag wins.`,
		Example: `  avap run order.avap --param quantity=3 --var 'customer="Ana"'
  avap run order.avap --vars @variables.json --body '{"quantity": 3, "rush": true}'
  echo 'addVar(x, 41 + 1)
  addResult(x)' | avap run -
  avap run order.wasm --param quantity=3 --stats --fuel 1000000
  avap run signed.wasm --param quantity=3 --key release.pub
  avap run --untrusted found.wasm --time-ms 500`,
		Args: arguments(1, 1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), p, cmd.Flags(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.vars, "var", nil, "a variable, `name=value`; a value that is JSON is that value, any other is text")
	flags.StringVar(&f.varsJSON, "vars", "", "variables as a JSON `object`, or @file")
	flags.StringArrayVar(&f.params, "param", nil, "a query parameter for addParam, `name=value`; may be repeated")
	flags.StringVar(&f.body, "body", "", "body members for addParam as a JSON `object`, or @file")
	flags.Int64Var(&f.limits.Fuel, "fuel", f.limits.Fuel, "most fuel to use")
	flags.Int64Var(&f.limits.TimeMS, "time-ms", f.limits.TimeMS, "most time to take")
	flags.Int64Var(&f.limits.MemoryBytes, "memory-bytes", f.limits.MemoryBytes, "most memory to use")
	flags.Int64Var(&f.limits.CallDepth, "call-depth", f.limits.CallDepth, "deepest nesting of calls")
	flags.Int64Var(&f.limits.OutputBytes, "output-bytes", f.limits.OutputBytes, "largest answer")
	flags.StringVar(&f.dataDir, "data-dir", f.dataDir, "`directory` of data.db, the database of the orm commands; made when it is first used")
	flags.StringVar(&f.dataURLFile, "data-url-file", "", "`file` that holds the URL of a PostgreSQL database to use instead")
	flags.StringVar(&f.allow, "allow", "", "address `prefixes` to allow requests to although they are not public, such as 127.0.0.0/8")
	flags.StringVar(&f.connectors, "connectors", "", "JSON `file` that describes the connectors of avapConnector")
	flags.StringVar(&f.zone, "time-zone", config.Default().Time.Zone, "time zone of dates that name none, by its IANA `name`, such as Europe/Madrid")
	flags.BoolVar(&f.logs, "logs", false, "log every top-level statement; see --output answer")
	flags.BoolVar(&f.untrusted, "untrusted", false, "the file is a module that another compiler made")
	flags.StringArrayVarP(&f.keys, "key", "k", nil, "`file` with public keys, one of which must have signed the module; may be repeated")
	flags.BoolVar(&f.stats, "stats", false, "print fuel, memory and times to standard error")
	flags.StringVar(&f.output, "output", "json", "what to print: json (the results), text (a line per result) or answer (the whole document)")
	return cmd
}

func (f *runFlags) run(ctx context.Context, p *Process, given *pflag.FlagSet, name string) error {
	if err := chosen("output", f.output, "json", "text", "answer"); err != nil {
		return err
	}
	content, err := readProgram(p, name)
	if err != nil {
		return err
	}
	if err := f.admit(p, name, content); err != nil {
		return err
	}
	request, err := f.request(p, name, content)
	if err != nil {
		return err
	}
	c, err := f.settings(p, given)
	if err != nil {
		return err
	}
	reach := server.Reach(c)
	reach.Log, _ = newLogger(p, c)
	if err := checkReach(reach); err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Limits: request.Limits, SourceBytes: math.MaxInt32, Zone: c.Time.Location, Commands: reach})
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	// An interrupt ends the run as a limit would.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	answer, err := f.execute(ctx, e, content, request)
	took := time.Since(began)
	if err := e.Close(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("stop the engine: %w", err)
	}
	if f.stats {
		printStats(p.Stderr, answer, err, took)
	}
	if refused, ok := errors.AsType[*engine.ArtifactError](err); ok {
		return usageError("%s cannot be run: %v; build it again with this avap, or, if another compiler made it, run it with --untrusted", fileName(name), refused.Err)
	}
	if err != nil {
		return report(p.Stderr, err, script{name: name, content: content})
	}
	return f.print(p, answer)
}

// admit refuses files that the flags are not for, and modules that nobody should
// run.
func (f *runFlags) admit(p *Process, name string, content []byte) error {
	ring, err := readKeyRing(p, f.keys)
	if err != nil {
		return err
	}
	if !isModule(content) {
		switch {
		case f.untrusted:
			return usageError("%s is no WebAssembly module; --untrusted is for modules, and every script is metered", fileName(name))
		case len(f.keys) > 0:
			return usageError("%s is no WebAssembly module; --key is for modules, as scripts have no signatures", fileName(name))
		}
		return nil
	}
	if _, err := ring.check(content); err != nil {
		return signatureProblem(p, name, err)
	}
	if f.untrusted {
		return nil
	}
	if _, err := wasmhost.ReadManifest(content); err != nil {
		return usageError("%s is no module that avap build made: %v; --untrusted runs modules of other compilers", fileName(name), err)
	}
	return nil
}

func (f *runFlags) request(p *Process, name string, content []byte) (*engine.Request, error) {
	limits, err := f.checkedLimits()
	if err != nil {
		return nil, err
	}
	variables, err := readObject(p, "vars", f.varsJSON)
	if err != nil {
		return nil, err
	}
	if variables, err = mergeVariables(variables, f.vars); err != nil {
		return nil, err
	}
	body, err := readObject(p, "body", f.body)
	if err != nil {
		return nil, err
	}
	query, err := readParams(f.params)
	if err != nil {
		return nil, err
	}
	return &engine.Request{
		Source: string(content), File: fileName(name), Load: script{name: name, content: content}.load,
		Variables: variables, Body: body, Query: query,
		Limits: limits, Logs: f.logs, EchoVariables: f.output == "answer",
	}, nil
}

// settings are those that concern a single run, by the flags that were given
// and by the environment that serve takes its settings from; a flag wins.
func (f *runFlags) settings(p *Process, given *pflag.FlagSet) (*config.Config, error) {
	settings := pflag.NewFlagSet("run", pflag.ContinueOnError)
	config.AddFlags(settings)
	if err := settings.Set("log-format", "text"); err != nil {
		return nil, fmt.Errorf("set log-format: %w", err)
	}
	own := map[string]string{} // how faults name a flag, and how run does
	for _, flag := range []struct{ key, name, value string }{
		{"data-dir", "data-dir", f.dataDir},
		{"data-url-file", "data-url-file", f.dataURLFile},
		{"egress-allow", "allow", f.allow},
		{"connectors-file", "connectors", f.connectors},
		{"time-zone", "time-zone", f.zone},
	} {
		own["flag --"+flag.key] = "flag --" + flag.name
		if !given.Changed(flag.name) {
			continue
		}
		if err := settings.Set(flag.key, flag.value); err != nil {
			return nil, fmt.Errorf("set %s: %w", flag.key, err)
		}
	}
	c, err := config.Load(settings, reachVariables(p.Environ))
	if err == nil {
		return c, nil
	}
	if faults, ok := errors.AsType[config.Faults](err); ok {
		for i := range faults {
			if name, renamed := own[faults[i].Origin]; renamed {
				faults[i].Origin = name
			}
		}
	}
	return nil, usageError("the configuration has faults\n%v", err)
}

// reachVariables leaves of the environment what concerns a single run.
func reachVariables(environ []string) []string {
	var kept []string
	for _, entry := range environ {
		for _, area := range []string{"DATA_", "EGRESS_", "SQL_", "TIME_", "CONNECTORS_", "VAULT_"} {
			if strings.HasPrefix(entry, config.EnvPrefix+area) {
				kept = append(kept, entry)
			}
		}
	}
	return kept
}

// checkedLimits holds the flags to the ranges of the server's settings.
func (f *runFlags) checkedLimits() (engine.Limits, error) {
	checks := []struct {
		flag, key string
		value     int64
	}{
		{"fuel", "limits.fuel", f.limits.Fuel},
		{"time-ms", "limits.time_ms", f.limits.TimeMS},
		{"memory-bytes", "limits.memory_bytes", f.limits.MemoryBytes},
		{"call-depth", "limits.call_depth", f.limits.CallDepth},
		{"output-bytes", "limits.output_bytes", f.limits.OutputBytes},
	}
	for _, check := range checks {
		for _, key := range config.Keys() {
			if key.Name == check.key && (check.value < key.Min || check.value > key.Max) {
				return engine.Limits{}, usageError("--%s is %d; it takes %s", check.flag, check.value, key.Range())
			}
		}
	}
	return server.EngineLimits(f.limits), nil
}

func (f *runFlags) execute(ctx context.Context, e *engine.Engine, content []byte, r *engine.Request) (*engine.Answer, error) {
	switch {
	case f.untrusted:
		return e.RunForeign(ctx, content, r) //nolint:wrapcheck // report needs it as it is
	case !isModule(content):
		return e.Run(ctx, r) //nolint:wrapcheck // as above
	}
	return e.RunArtifact(ctx, content, r) //nolint:wrapcheck // as above
}

// printStats shows what a run used, whether it succeeded or not.
func printStats(w io.Writer, answer *engine.Answer, err error, took time.Duration) {
	var usage diag.Usage
	var compile time.Duration
	if answer != nil {
		usage, compile = answer.Usage, answer.CompileTime
	} else if failure, ok := errors.AsType[*diag.Failure](err); ok {
		usage = failure.Usage
	}
	fmt.Fprintf(w, "fuel     %d\n", usage.FuelUsed)
	fmt.Fprintf(w, "memory   %d bytes\n", int64(usage.MemoryPages)*abi.PageBytes)
	if answer != nil {
		fmt.Fprintf(w, "compile  %.3f ms\n", milliseconds(compile))
	}
	fmt.Fprintf(w, "run      %.3f ms\n", milliseconds(usage.RunTime))
	fmt.Fprintf(w, "total    %.3f ms\n", milliseconds(took))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// print writes the answer, and before it what the script printed.
func (f *runFlags) print(p *Process, answer *engine.Answer) error {
	if f.output == "answer" {
		_, err := fmt.Fprintf(p.Stdout, "%s\n", answer.JSON)
		return written(err)
	}
	return printResult(p, f.output, answer.Result, answer.Logs)
}

// printResult writes results, as JSON or as text, and before them what the
// script printed.
func printResult(p *Process, output string, result, logs []byte) error {
	if err := printLogs(p.Stderr, logs); err != nil {
		return err
	}
	if output == "json" {
		_, err := fmt.Fprintf(p.Stdout, "%s\n", result)
		return written(err)
	}
	return printText(p.Stdout, result)
}

// logEntry is what of an entry of logs is of interest here.
type logEntry struct {
	Command string  `json:"command"`
	Line    int     `json:"line"`
	Message *string `json:"message"`
	Error   *string `json:"error"`
}

func printLogs(w io.Writer, logs []byte) error {
	if len(logs) == 0 {
		return nil
	}
	var entries []logEntry
	if err := json.Unmarshal(logs, &entries); err != nil {
		return fmt.Errorf("read the logs: %w", err)
	}
	for _, e := range entries {
		switch {
		case e.Message != nil:
			fmt.Fprintln(w, *e.Message)
		case e.Error != nil:
			fmt.Fprintf(w, "line %d: caught in %s: %s\n", e.Line, e.Command, *e.Error)
		}
	}
	return nil
}

// printText writes a line per result. Text stands without quotes, everything
// else as JSON.
func printText(w io.Writer, result []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(result))
	if _, err := decoder.ReadToken(); err != nil {
		return fmt.Errorf("read the results: %w", err)
	}
	for decoder.PeekKind() == jsontext.KindString {
		token, err := decoder.ReadToken()
		if err != nil {
			return fmt.Errorf("read the results: %w", err)
		}
		name := token.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return fmt.Errorf("read the results: %w", err)
		}
		if value.Kind() == jsontext.KindString {
			if value, err = jsontext.AppendUnquote(nil, value); err != nil {
				return fmt.Errorf("read the results: %w", err)
			}
		}
		if _, err := fmt.Fprintf(w, "%s = %s\n", name, value); err != nil {
			return written(err)
		}
	}
	return nil
}
