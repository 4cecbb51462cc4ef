package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
)

func signerCommand(p *Process) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "signer",
		Short:   "Say whose signatures a server trusts, and for what",
		Example: "  avap signer add team --key team.pub --prefix price_ --token-file token\n  avap signer list",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(signerAddCommand(p), signerListCommand(p), signerRemoveCommand(p))
	return cmd
}

func signerAddCommand(p *Process) *cobra.Command {
	r := new(remote)
	var s api.Signer
	var keyFile string
	cmd := r.command(p, &cobra.Command{
		Use:   "add NAME --key FILE",
		Short: "Trust the signatures of a key, or change what they are good for",
		Long: `Trust the signatures of a key, or change what they are good for. What the flags do
not allow is not allowed, whatever was allowed before: without --capability the
signer may sign no command that needs the host.`,
		Example: `  avap signer add team --key team.pub --prefix price_ --token-file token
  avap signer add ci --key ci.pub --prefix '*' --capability http --capability sql --trusted-compiler --token-file token`,
		Args: arguments(1, 1, "a name for the signer"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		switch {
		case keyFile == "":
			return usageError("signer add needs the file of the public key; give --key")
		case len(s.Prefixes) == 0:
			return usageError("signer add needs to know which commands the signer may sign; give --prefix, with * for all")
		}
		key, err := readInput(p, keyFile)
		if err != nil {
			return err
		}
		s.Name, s.PublicKey = args[0], string(key)
		added, err := c.PutSigner(ctx, s)
		switch {
		case err != nil:
			return err //nolint:wrapcheck // refused words it
		case r.output == "json":
			return printJSON(p, added)
		}
		_, err = fmt.Fprintf(p.Stdout, "%s: trusted, key %s\n", added.Name, added.KeyID)
		return written(err)
	})
	flags := cmd.Flags()
	flags.StringVar(&keyFile, "key", "", "`file` with the public key, such as avap keygen writes")
	flags.StringArrayVar(&s.Prefixes, "prefix", nil, "`beginning` of the names that the signer may sign, * for every name; required, may be repeated")
	flags.StringArrayVar(&s.Capabilities, "capability", nil, "`capability` that the signer's commands may have, * for all; may be repeated")
	limitFlags(flags, &s.Limits, "the signer's commands; 0 leaves it to the server")
	flags.BoolVar(&s.TrustedCompiler, "trusted-compiler", false, "believe that what the signer built with avap build counts its own fuel")
	completeFile(cmd, "key", "pub", "pem")
	return cmd
}

func signerListCommand(p *Process) *cobra.Command {
	r := new(remote)
	return r.command(p, &cobra.Command{
		Use:     "list",
		Short:   "List those whose signatures a server trusts",
		Example: "  avap signer list --token-file token",
		Args:    arguments(0, 0, "no argument"),
	}, func(ctx context.Context, c *client.Client, _ []string) error {
		list, err := c.Signers(ctx)
		if err != nil {
			return err //nolint:wrapcheck // refused words it
		}
		if r.output == "json" {
			return printJSON(p, list)
		}
		rows := make([]string, len(list))
		for i, s := range list {
			status := "trusted"
			if s.Revoked {
				status = "revoked"
			}
			compiler := "-"
			if s.TrustedCompiler {
				compiler = "trusted"
			}
			rows[i] = fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", s.Name, s.KeyID, status, listed(s.Prefixes), listed(s.Capabilities), compiler, limitsCell(&s.Limits))
		}
		return table(p, "SIGNER\tKEY\tSTATE\tPREFIXES\tCAPABILITIES\tCOMPILER\tLIMITS", rows)
	})
}

// limitsCell names the limits that are set, as the flags that set them do.
func limitsCell(l *api.Limits) string {
	var set []string
	for _, limit := range []struct {
		name  string
		value int64
	}{{"fuel", l.Fuel}, {"time-ms", l.TimeMS}, {"memory-bytes", l.MemoryBytes}, {"call-depth", l.CallDepth}, {"output-bytes", l.OutputBytes}} {
		if limit.value != 0 {
			set = append(set, fmt.Sprintf("%s=%d", limit.name, limit.value))
		}
	}
	return listed(set)
}

func signerRemoveCommand(p *Process) *cobra.Command {
	r := new(remote)
	return r.command(p, &cobra.Command{
		Use:     "remove NAME",
		Short:   "Trust the signatures of a signer no longer",
		Example: "  avap signer remove team --token-file token",
		Args:    arguments(1, 1, "the name of a signer"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		if err := c.DeleteSigner(ctx, args[0]); err != nil {
			return err //nolint:wrapcheck // refused words it
		}
		return r.said(p, args[0], "removed")
	})
}

func revokeCommand(p *Process) *cobra.Command {
	r := new(remote)
	var reason string
	cmd := r.command(p, &cobra.Command{
		Use:   "revoke key|digest VALUE",
		Short: "Make a key or a module count for nothing on every server, for good",
		Long: `Make a key or a module count for nothing on every server, for good. A key is named
by its identifier, as avap signer list shows it, a module by its digest, the 64
hexadecimal digits that avap versions shows.`,
		Example: `  avap revoke key 0123456789abcdef01234567 --reason 'laptop lost' --token-file token
  avap revoke digest "$(sha256sum price.wasm | cut -d' ' -f1)" --reason 'wrong VAT' --token-file token`,
		Args: arguments(2, 2, "key or digest, and its value"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []string{api.RevokedKey, api.RevokedDigest}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}, func(ctx context.Context, c *client.Client, args []string) error {
		if args[0] != api.RevokedKey && args[0] != api.RevokedDigest {
			return usageError("revoke takes key or digest first, not %q", args[0])
		}
		if reason == "" {
			return usageError("revoke needs a reason, for those who will ask; give --reason")
		}
		if digest, err := hex.DecodeString(args[1]); args[0] == api.RevokedDigest && (err != nil || len(digest) != sha256.Size) {
			return usageError("%q is no digest of a module, which has 64 hexadecimal digits; avap versions NAME shows them", args[1])
		}
		done, err := c.Revoke(ctx, api.Revocation{Kind: args[0], Value: args[1], Reason: reason})
		switch {
		case err != nil:
			return err //nolint:wrapcheck // refused words it
		case r.output == "json":
			return printJSON(p, done)
		}
		_, err = fmt.Fprintf(p.Stdout, "%s %s: revoked\n", done.Kind, done.Value)
		return written(err)
	})
	cmd.Flags().StringVar(&reason, "reason", "", "`text` that is shown to those who meet the revocation")
	return cmd
}

func revocationsCommand(p *Process) *cobra.Command {
	r := new(remote)
	return r.command(p, &cobra.Command{
		Use:     "revocations",
		Short:   "List the keys and modules that are revoked",
		Example: "  avap revocations --token-file token",
		Args:    arguments(0, 0, "no argument"),
	}, func(ctx context.Context, c *client.Client, _ []string) error {
		list, err := c.Revocations(ctx)
		if err != nil {
			return err //nolint:wrapcheck // refused words it
		}
		if r.output == "json" {
			return printJSON(p, list)
		}
		rows := make([]string, len(list))
		for i, v := range list {
			rows[i] = fmt.Sprintf("%s\t%s\t%s\t%s", v.Kind, v.Value, v.At.UTC().Format(time.DateTime), v.Reason)
		}
		return table(p, "KIND\tVALUE\tSINCE (UTC)\tREASON", rows)
	})
}
