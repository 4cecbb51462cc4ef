package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/debug"
	"github.com/avapd/avapd/runtime/abi"
)

// What build can write.
const (
	emitWasm = "wasm"
	emitWAT  = "wat"
	emitIR   = "ir"
)

// moduleSuffix is the ending of modules.
const moduleSuffix = "." + emitWasm

// buildFlags are the flags of build.
type buildFlags struct {
	out, emit, output string
	logs, standalone  bool
	interfaceFile     string
	// parameters are what the file says; nil when there is none.
	parameters []abi.Parameter
	callable   callable
	registered []string
}

func buildCommand(p *Process) *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build FILE…",
		Short: "Compile scripts to WebAssembly modules",
		Long: `Compile scripts to WebAssembly modules that avap run runs. A module tells
debuggers and other WebAssembly runtimes which lines its code comes from; for
browsers, a source map is written beside it, with .map behind the module's name.

Of a directory, all files that end in .avap are compiled. With several files, -o
is a directory for what is made. The same script, flags and name of the output
give the same bytes, on any machine and in any directory.

A module needs the guest library beside it, which avap run brings along. With
--standalone it contains the parts of the library that it uses: other hosts load
one module instead of two, which does and costs the same.

The forms on the way there can be written too: ir is the compiler's intermediate
form, wat the module as text. A file named - is standard input, or standard
output with -o, and then there is no source map.`,
		Example: `  avap build order.avap -o order.wasm
  avap build order.avap --standalone
  avap build scripts -o modules
  avap build order.avap --emit wat -o -
  avap build order.avap --emit ir -o order.ir`,
		Args: arguments(1, -1, "at least one file"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), p, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "out", "o", "", "`file` to write, or directory for several; by default the script's name with the form's ending, beside it")
	flags.StringVar(&f.emit, "emit", emitWasm, "`form` to write: wasm, wat or ir")
	flags.BoolVar(&f.standalone, "standalone", false, "put what the script uses of the guest library into the module")
	flags.BoolVar(&f.logs, "logs", false, "make a module that logs every top-level statement")
	interfaceFlag(flags, &f.interfaceFile, "those that it reads with addParam")
	f.callable.flag(flags)
	outputFlag(cmd, &f.output)
	return cmd
}

func (f *buildFlags) run(ctx context.Context, p *Process, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	in, err := readInputs(args, scriptSuffix)
	if err != nil {
		return err
	}
	if f.out == "" && in.files[0].name == stdinName {
		return usageError("a script from standard input has no name to derive one from; give -o")
	}
	if err := f.readInterface(in); err != nil {
		return err
	}
	if f.registered, err = f.callable.names(p); err != nil {
		return err
	}
	outputs, err := in.outputs(f.out, func(name string) string {
		return strings.TrimSuffix(name, filepath.Ext(name)) + "." + f.emit
	})
	if err != nil {
		return err
	}
	b := &batch{p, f.output, "built"}
	return b.run(ctx, in, func(i int, file input) outcome {
		o := f.build(p, file.name, outputs[i], in.several)
		if in.several {
			o.line = o.File + ": " + o.Output
		}
		return o
	})
}

// readInterface reads the parameters, which are those of one script.
func (f *buildFlags) readInterface(in inputs) error {
	if f.interfaceFile == "" {
		return nil
	}
	if in.several || f.emit == emitIR {
		return usageError("--interface is about one script and its module")
	}
	var err error
	f.parameters, err = parseInterface(f.interfaceFile)
	return err
}

// interfaceFlag is the name of a file that parseInterface reads.
func interfaceFlag(flags *pflag.FlagSet, file *string, otherwise string) {
	flags.StringVar(file, "interface", "", `JSON `+"`file`"+` that names the parameters of the command, such as [{"name": "a", "kind": "L"}]; by default `+otherwise)
}

// parseInterface reads the parameters of a command from a file.
func parseInterface(file string) ([]abi.Parameter, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the path is the caller's own
	if err != nil {
		return nil, usageError("%s", fileProblem(file, err))
	}
	parameters, err := registry.ParseInterface(content)
	if err != nil {
		return nil, usageError("%s: %v", file, err)
	}
	return parameters, nil
}

func (f *buildFlags) check() error {
	if err := chosen("emit", f.emit, emitWasm, emitWAT, emitIR); err != nil {
		return err
	}
	if err := chosen("output", f.output, "text", "json"); err != nil {
		return err
	}
	switch {
	case f.standalone && f.emit == emitIR:
		return usageError("--standalone makes a module, which --emit ir does not")
	case f.output == "json" && f.out == stdinName:
		return usageError("the module and --output json cannot both go to standard output")
	}
	return nil
}

func (f *buildFlags) build(p *Process, name, out string, several bool) outcome {
	o := outcome{File: fileName(name), Success: true, Output: out}
	content, err := readScript(p, name)
	if err != nil {
		return o.fail(err)
	}
	if out == name && name != stdinName {
		return o.fail(usageError("-o %s would overwrite the script", out))
	}
	s := script{name: name, content: content, registered: f.registered}
	o.text = s.text
	mapFile := ""
	if f.emit == emitWasm && out != stdinName && !isStream(out) {
		mapFile = out + ".map"
	}
	output, findings, err := f.compile(s, mapFile)
	if err != nil {
		return o.fail(fmt.Errorf("internal error: %w", err))
	}
	if findings.HasErrors() {
		return o.fail(findings)
	}
	o.Diagnostics = findings
	if err := writeBelow(p, out, output.content, several); err != nil {
		return o.fail(err)
	}
	if mapFile != "" {
		if err := writeOutput(p, mapFile, output.sourceMap); err != nil {
			return o.fail(err)
		}
	}
	return o
}

// made is what build writes; the source map is empty where there is none.
type made struct{ content, sourceMap []byte }

// compile gives the script in the form that the flags ask for. A module for
// which a map file is named refers to it.
func (f *buildFlags) compile(s script, mapFile string) (made, diag.List, error) {
	if f.emit == emitIR {
		text, findings := s.intermediate(f.logs)
		return made{content: text}, findings, nil
	}
	options := s.options(f.logs)
	options.Debug, options.Standalone, options.Interface = f.emit == emitWasm, f.standalone, f.parameters
	artifact, findings := s.compile(options)
	if findings.HasErrors() {
		return made{}, findings, nil
	}
	if f.emit == emitWAT {
		text, err := printWAT(artifact.Wasm)
		return made{content: text}, findings, err
	}
	module := artifact.Wasm
	if mapFile != "" {
		module = wasm.AppendCustom(module, debug.SourceMapURL(url.PathEscape(filepath.Base(mapFile))))
	}
	return made{module, artifact.SourceMap}, findings, nil
}

func printWAT(module []byte) ([]byte, error) {
	m, err := wasm.Decode(module)
	if err != nil {
		return nil, fmt.Errorf("decode the module: %w", err)
	}
	var text bytes.Buffer
	if err := m.WriteText(&text); err != nil {
		return nil, fmt.Errorf("print the module: %w", err)
	}
	return text.Bytes(), nil
}
