package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
)

// push are the flags of push.
type push struct {
	remote

	name, note string
	activate   bool
	script     bool
	limits     api.Limits

	interfaceFile string
	parameters    []api.Parameter

	plainHTTP, allowUnsigned bool
}

func pushCommand(p *Process) *cobra.Command {
	f := new(push)
	cmd := &cobra.Command{
		Use:   "push FILE… [oci://HOST/REPOSITORY:TAG]",
		Short: "Send modules to a server as commands, or one to a registry of images",
		Long: `Send modules to a server, each as a new version of a command. A command is called
after its file, without the ending, or as --name says; of a directory, all files
that end in .wasm are sent. The server takes a module that is signed by someone it
trusts; a script it builds and signs itself, where that is allowed. A new version
runs once it is activated, with --activate or by avap activate. What the server has
already stays as it is.

With a reference that begins with oci:// the module goes into a registry of
container images instead, whose user is that of docker login or of the environment
variables OCI_USERNAME and OCI_PASSWORD. There nobody looks who signed it, so one
that nobody signed is sent with --allow-unsigned only.`,
		Example: `  avap push price.wasm --token-file token
  avap push price.wasm --name price --activate --note 'VAT of 2027' --token-file token
  avap push modules --server https://avap.example.com --token-file token --output json
  avap push price.wasm oci://ghcr.io/example/price:1`,
		Args: arguments(1, -1, "at least one file"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), p, cmd.Flags(), args) },
	}
	f.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "`name` of the command; for a single file")
	flags.BoolVar(&f.activate, "activate", false, "make the new version the one that runs")
	flags.BoolVar(&f.script, "script", false, "send files that are no modules as scripts, whatever their names end in")
	flags.StringVar(&f.note, "note", "", "`text` to keep with the version")
	interfaceFlag(flags, &f.interfaceFile, "those that the module declares")
	limitFlags(flags, &f.limits, "the version; 0 leaves it to signer and server")
	flags.BoolVar(&f.allowUnsigned, "allow-unsigned", false, "send a module that nobody signed to a registry of images")
	flags.BoolVar(&f.plainHTTP, "plain-http", false, "talk to a registry of images without TLS, also on another machine")
	return cmd
}

func (f *push) run(ctx context.Context, p *Process, given *pflag.FlagSet, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	if last := args[len(args)-1]; isImage(last) {
		if len(args) != 2 {
			return usageError("a reference takes one module; there are %d files", len(args)-1)
		}
		if err := f.imageFlags(given); err != nil {
			return err
		}
		return f.images(f.plainHTTP).push(ctx, p, args[0], last, f.allowUnsigned)
	}
	if f.allowUnsigned {
		return usageError("--allow-unsigned is for registries of images; a server takes what somebody signed whom it trusts")
	}
	in, err := readInputs(args, moduleSuffix)
	if err != nil {
		return err
	}
	if f.name != "" && in.several {
		return usageError("--name is for a single file; there are %d", len(in.files))
	}
	if err := f.readInterface(in); err != nil {
		return err
	}
	c, err := f.open(p)
	if err != nil {
		return err
	}
	defer c.Close()
	b := &batch{p, f.output, "sent"}
	return b.run(ctx, in, func(_ int, file input) outcome { return f.send(ctx, p, c, file.name) })
}

// readInterface reads the parameters, which are those of one command.
func (f *push) readInterface(in inputs) error {
	if f.interfaceFile == "" {
		return nil
	}
	if in.several {
		return usageError("--interface is for a single file; there are %d", len(in.files))
	}
	list, err := parseInterface(f.interfaceFile)
	f.parameters = make([]api.Parameter, len(list))
	for i, p := range list {
		f.parameters[i] = api.Parameter(p)
	}
	return err
}

// imageFlags refuses flags that mean nothing to a registry of images.
func (f *push) imageFlags(given *pflag.FlagSet) error {
	var err error
	given.Visit(func(flag *pflag.Flag) {
		if !slices.Contains([]string{"timeout-ms", "output", "plain-http", "allow-unsigned"}, flag.Name) {
			err = usageError("--%s is for servers; a registry of images keeps the module alone", flag.Name)
		}
	})
	return err
}

// pushed is the version that a file became.
type pushed struct {
	api.Version

	// New tells that the server did not have it.
	New bool `json:"new"`
}

// send sends one file.
func (f *push) send(ctx context.Context, p *Process, c *client.Client, file string) outcome {
	o := outcome{File: fileName(file), Success: true}
	name := f.name
	if name == "" {
		if file == stdinName {
			return o.fail(usageError("standard input has no name; give --name"))
		}
		name = commandOf(file)
	}
	content, err := readProgram(p, file)
	if err != nil {
		return o.fail(err)
	}
	kind := api.WASM
	if !isModule(content) {
		if file != stdinName && !f.script && !strings.HasSuffix(file, scriptSuffix) {
			return o.fail(usageError("%s is no WebAssembly module, and its name does not end in %s; --script sends it as a script", o.File, scriptSuffix))
		}
		kind = "text/plain; charset=utf-8"
	}
	v, isNew, err := c.Upload(ctx, name, content, kind, client.UploadOptions{Activate: f.activate, Note: f.note, Interface: f.parameters, Limits: f.limits})
	if err != nil {
		if e, ok := errors.AsType[*exitError](refused(err)); ok {
			err = &exitError{e.code, o.File + ": " + e.text, e.told}
		}
		return o.fail(err)
	}
	o.Command = &pushed{v, isNew}
	o.line = o.Command.line()
	return o
}

// commandOf is the name of the command in a file.
func commandOf(file string) string {
	name := filepath.Base(file)
	return strings.TrimSuffix(strings.TrimSuffix(name, moduleSuffix), scriptSuffix)
}

func (v *pushed) line() string {
	text := fmt.Sprintf("%s: version %d", v.Name, v.Version.Version)
	if !v.New {
		text += ", which was there"
	}
	if v.Active {
		text += ", active"
	}
	return text + ", digest " + shortDigest(v.Digest)
}
