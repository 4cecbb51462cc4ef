package cli

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/debug"
)

// What build can write.
const (
	emitWasm = "wasm"
	emitWAT  = "wat"
	emitIR   = "ir"
)

func buildCommand(p *Process) *cobra.Command {
	var out, emit string
	var logs, standalone bool
	cmd := &cobra.Command{
		Use:   "build FILE",
		Short: "Compile a script to a WebAssembly module",
		Long: `Compile a script to a WebAssembly module that avap run runs. The module tells
debuggers and other WebAssembly runtimes which lines its code comes from; for
browsers, a source map is written beside it, with .map behind the module's name.

A module needs the guest library beside it, which avap run brings along. With
--standalone it contains the parts of the library that it uses: other hosts load
one module instead of two, which does and costs the same.

The forms on the way there can be written too: ir is the compiler's intermediate
form, wat the module as text. A file named - is standard input, or standard
output with -o, and then there is no source map.`,
		Example: `  avap build order.avap -o order.wasm
  avap build order.avap --standalone
  avap build order.avap --emit wat -o -
  avap build order.avap --emit ir -o order.ir`,
		Args: arguments(1, 1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := chosen("emit", emit, emitWasm, emitWAT, emitIR); err != nil {
				return err
			}
			if standalone && emit == emitIR {
				return usageError("--standalone makes a module, which --emit ir does not")
			}
			return build(p, args[0], out, emit, logs, standalone)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write; by default the script's name with the form's ending, beside it")
	cmd.Flags().StringVar(&emit, "emit", emitWasm, "`form` to write: wasm, wat or ir")
	cmd.Flags().BoolVar(&standalone, "standalone", false, "put what the script uses of the guest library into the module")
	cmd.Flags().BoolVar(&logs, "logs", false, "make a module that logs every top-level statement")
	return cmd
}

func build(p *Process, name, out, emit string, logs, standalone bool) error {
	content, err := readScript(p, name)
	if err != nil {
		return err
	}
	if out == "" {
		if name == stdinName {
			return usageError("a script from standard input has no name to derive one from; give -o")
		}
		out = strings.TrimSuffix(name, filepath.Ext(name)) + "." + emit
	}
	if out == name && name != stdinName {
		return usageError("-o %s would overwrite the script", out)
	}
	script := script{name, content}
	mapFile := ""
	if emit == emitWasm && out != stdinName {
		mapFile = out + ".map"
	}
	output, findings, err := compileTo(emit, script, logs, standalone, mapFile)
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	if findings.HasErrors() {
		return report(p.Stderr, findings, script)
	}
	if err := diag.Render(p.Stderr, findings, script.text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := writeOutput(p, out, output.content); err != nil || mapFile == "" {
		return err
	}
	return writeOutput(p, mapFile, output.sourceMap)
}

// made is what build writes; the source map is empty where there is none.
type made struct{ content, sourceMap []byte }

// compileTo gives the script in one of the forms that build writes. A module
// for which a map file is named refers to it.
func compileTo(emit string, s script, logs, standalone bool, mapFile string) (made, diag.List, error) {
	if emit == emitIR {
		text, findings := s.intermediate(logs)
		return made{content: text}, findings, nil
	}
	options := s.options(logs)
	options.Debug, options.Standalone = emit == emitWasm, standalone
	artifact, findings := compiler.Compile(s.source(), options)
	if findings.HasErrors() {
		return made{}, findings, nil
	}
	if emit == emitWAT {
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

func writeOutput(p *Process, out string, content []byte) error {
	if out == stdinName {
		_, err := p.Stdout.Write(content)
		return written(err)
	}
	if err := os.WriteFile(out, content, 0o644); err != nil { //nolint:gosec // a module is no secret
		return usageError("%s", fileProblem(out, err))
	}
	return nil
}
