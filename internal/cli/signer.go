package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/runtime/catalog"
)

func askSignerAdd(p *Process, cmd *cobra.Command) asking {
	var s api.Signer
	var keyFile string
	flags := cmd.Flags()
	flags.StringVarP(&keyFile, "key", "k", "", "`file` with the public key, such as avap keygen writes")
	flags.StringArrayVar(&s.Prefixes, "prefix", nil, "`beginning` of the names that the signer may sign, * for every name; required, may be repeated")
	flags.StringArrayVar(&s.Capabilities, "capability", nil, "`capability` that the signer's commands may have, * for all; may be repeated")
	limitFlags(flags, &s.Limits, "the signer's commands; 0 leaves it to the server")
	flags.BoolVar(&s.TrustedCompiler, "trusted-compiler", false, "believe that what the signer built with avap build counts its own fuel")
	completeFile(cmd, "key", "pub", "pem")
	completeFlag(cmd, "capability", capabilityWords()...)
	return func(ctx context.Context, c *client.Client, args []string) (shown, error) {
		switch {
		case keyFile == "":
			return shown{}, usageError("signer add needs the file of the public key; give --key")
		case len(s.Prefixes) == 0:
			return shown{}, usageError("signer add needs to know which commands the signer may sign; give --prefix, with * for all")
		}
		for _, capability := range s.Capabilities {
			if words := capabilityWords(); !slices.Contains(words, capability) {
				return shown{}, usageError("--capability is %q; %sit takes %s", capability, didYouMean(capability, "", words), strings.Join(words, ", "))
			}
		}
		var err error
		if s.PublicKey, err = readSignerKey(p, keyFile); err != nil {
			return shown{}, err
		}
		s.Name = args[0]
		added, err := c.PutSigner(ctx, s)
		s := line(added, "%s: trusted, key %s", added.Name, added.KeyID)
		s.lines = append(s.lines, changeLines(added.Change)...)
		return s, err //nolint:wrapcheck // refused words it
	}
}

// changeLines say which commands run now that did not, and the other way round.
func changeLines(c *api.TrustChange) (lines []string) {
	if c == nil {
		return nil
	}
	for _, part := range []struct {
		what  string
		names []string
		count int
	}{{"run now", c.Gained, c.GainedCount}, {"do not run any more", c.Lost, c.LostCount}} {
		if part.count == 0 {
			continue
		}
		text := fmt.Sprintf("commands that %s: %s", part.what, strings.Join(part.names, ", "))
		if more := part.count - len(part.names); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		lines = append(lines, text)
	}
	return lines
}

// capabilityWords are those that --capability takes.
func capabilityWords() []string {
	words := []string{catalog.CapabilityCommands, catalog.CapabilityConcurrency}
	for _, c := range catalog.Commands() {
		if c.Capability != "" {
			words = append(words, c.Capability)
		}
	}
	slices.Sort(words)
	return append(slices.Compact(words), "*")
}

// readSignerKey gives the public key in a file in the form that is text in all
// its bytes. What is no public key, such as the private one, is not sent.
func readSignerKey(p *Process, file string) (string, error) {
	ring, err := readKeyRing(p, []string{file})
	if err != nil {
		return "", err
	}
	if len(ring.keys) != 1 {
		return "", usageError("%s holds %d keys; a signer has one", fileName(file), len(ring.keys))
	}
	text, err := signature.EncodePublic(ring.keys[0], signature.OpenSSH, "")
	return string(text), err //nolint:wrapcheck // it says what failed
}

func signers(ctx context.Context, c *client.Client, _ []string) (shown, error) {
	list, err := c.Signers(ctx)
	return tabled(list, err, "SIGNER\tKEY\tSTATE\tPREFIXES\tCAPABILITIES\tCOMPILER\tLIMITS", func(s api.Signer) string {
		status, compiler := "trusted", "-"
		if s.Revoked {
			status = "revoked"
		}
		if s.TrustedCompiler {
			compiler = "trusted"
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", s.Name, s.KeyID, status, listed(s.Prefixes), listed(s.Capabilities), compiler, limitsCell(&s.Limits))
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

func removeSigner(ctx context.Context, c *client.Client, args []string) (shown, error) {
	change, err := c.DeleteSigner(ctx, args[0])
	removed := struct {
		Name    string          `json:"name"`
		Removed bool            `json:"removed"`
		Change  api.TrustChange `json:"change"`
	}{args[0], true, change}
	s := line(removed, "%s: removed", args[0])
	s.lines = append(s.lines, changeLines(&change)...)
	return s, err //nolint:wrapcheck // refused words it
}

func askRevoke(_ *Process, cmd *cobra.Command) asking {
	var reason string
	cmd.Flags().StringVar(&reason, "reason", "", "`text` that is shown to those who meet the revocation; required")
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return []string{api.RevokedKey, api.RevokedDigest}, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return func(ctx context.Context, c *client.Client, args []string) (shown, error) {
		if args[0] != api.RevokedKey && args[0] != api.RevokedDigest {
			return shown{}, usageError("revoke takes key or digest first, not %q", args[0])
		}
		if reason == "" {
			return shown{}, usageError("revoke needs a reason, for those who will ask; give --reason")
		}
		if digest, err := hex.DecodeString(args[1]); args[0] == api.RevokedDigest && (err != nil || len(digest) != sha256.Size) {
			return shown{}, usageError("%q is no digest of a module, which has 64 hexadecimal digits; avap versions NAME shows them", args[1])
		}
		r, err := c.Revoke(ctx, api.Revocation{Kind: args[0], Value: args[1], Reason: reason})
		s := line(r, "%s %s: revoked", r.Kind, r.Value)
		if r.Note != "" {
			s.lines = append(s.lines, "note: "+r.Note)
		}
		s.lines = append(s.lines, changeLines(r.Change)...)
		return s, err //nolint:wrapcheck // refused words it
	}
}

func revocations(ctx context.Context, c *client.Client, _ []string) (shown, error) {
	list, err := c.Revocations(ctx)
	return tabled(list, err, "KIND\tVALUE\tSINCE (UTC)\tBY\tREASON", func(v api.Revocation) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", v.Kind, v.Value, v.At.UTC().Format(time.DateTime), cmp.Or(v.By, "-"), printable(v.Reason))
	})
}
