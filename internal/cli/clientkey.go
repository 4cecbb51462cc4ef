package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/client"
)

const (
	// secretMode is for files that hold secrets.
	secretMode = 0o600
	// maxDays keeps the end of a key a date that JSON can write.
	maxDays = 36_500
)

// keyQuestions are about the keys by which a server knows its clients.
var keyQuestions = []question{
	{
		use: "create NAME", short: "Make a key for a client",
		long: `Make a key for a client. Its secret is shown once, and the server keeps no more than
a digest of it; a client that signs its requests has --public-key instead.

With --prefix the key runs and changes only commands whose names begin so, and no
scripts. avap key --help lists the scopes.`,
		examples: []string{
			"avap key create shop --scope execute --prefix price_ --expires-days 90 -o shop.key --token-file token",
			"avap key create deploy --scope commands:read --scope commands:write -o deploy.key --token-file token",
			"avap key create till --scope execute --public-key till.pub --token-file token",
		},
		args: 1, what: "a name for the key", ask: askKeyCreate,
	},
	{
		use: "list", short: "List the keys of a server's clients, without their secrets",
		examples: []string{"avap key list --token-file token"},
		what:     "no argument", ask: plain(keys),
	},
	{
		use: "rotate NAME", short: "Give a key another secret or public key",
		long: `Give a key another secret, or another public key. The one before holds for
--grace-hours, in which the client has time to change; of those before that none
holds any more.`,
		examples: []string{"avap key rotate shop --grace-hours 24 -o shop2.key --token-file token"},
		args:     1, what: "the name of a key", ask: askKeyRotate,
	},
	{
		use: "delete NAME", short: "Take a key away from its client, at once",
		examples: []string{"avap key delete shop --token-file token"},
		args:     1, what: "the name of a key", ask: plain(deleteKey),
	},
}

func keyCommand(p *Process) *cobra.Command {
	cmd := groupCommand("key", "Make and take away the keys by which a server knows its clients",
		"  avap key create shop --scope execute --prefix price_ -o shop.key --token-file token\n  avap key list --token-file token")
	cmd.Long = `Make and take away the keys by which a server knows its clients, and say what each
may do. A client shows the secret of its key as a bearer token, or signs its
requests; avap itself takes a file with a secret as --token-file.

Keys that modules are signed with are another matter: see avap keygen and avap
signer.

The scopes:
` + strings.TrimSuffix(scopeTable(), "\n")
	cmd.AddCommand(questionCommands(p, keyQuestions)...)
	return cmd
}

func scopeTable() string {
	var b strings.Builder
	for _, e := range auth.Scopes() {
		fmt.Fprintf(&b, "  %-17s%s\n", e.Name, e.Doc)
	}
	return b.String()
}

// keyFiles are the flags about what a client gets, or has.
type keyFiles struct{ out, publicKey string }

func (f *keyFiles) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "`file` to write the secret to, for its owner alone; without one it is printed")
	cmd.Flags().StringVar(&f.publicKey, "public-key", "", "`file` with the public key of a client that signs its requests, such as avap keygen writes")
	completeFile(cmd, "public-key", "pub", "pem")
}

// read gives the text of the public key, if there is one, and makes sure that a
// secret will have its place.
func (f *keyFiles) read(p *Process) (string, error) {
	switch {
	case f.publicKey != "" && f.out != "":
		return "", usageError("--out is for a secret; a client that signs has a private key instead")
	case f.publicKey != "":
		return readSignerKey(p, f.publicKey)
	case f.out != "":
		if _, err := os.Lstat(f.out); err == nil {
			return "", usageError("%s is there already; keys are not overwritten", f.out)
		}
	}
	return "", nil
}

// tell hands over what was made. A secret that is printed is alone on its line,
// for a file or a pipe.
func (f *keyFiles) tell(k *api.Key, what string) (shown, error) {
	switch {
	case k.Kind == api.CertificateKey:
		return line(k, "%s: %s; certificates of %s are known as it", k.Name, what, k.Subject), nil
	case k.Kind == api.SignatureKey:
		return line(k, "%s: %s; requests are signed with the key identifier %s", k.Name, what, k.Name), nil
	case f.out == "":
		return line(k, "%s", k.Secret), nil
	}
	if err := writeNew(f.out, []byte(k.Secret+"\n"), secretMode); err != nil {
		return shown{}, fmt.Errorf("the key %s was %s, and its secret is lost; rotate it: %w", k.Name, what, err)
	}
	k.Secret = ""
	return line(k, "%s: %s, the secret is in %s", k.Name, what, f.out), nil
}

func askKeyCreate(p *Process, cmd *cobra.Command) asking {
	f := new(keyFiles)
	var k api.NewKey
	var days int64
	flags := cmd.Flags()
	flags.StringArrayVar(&k.Scopes, "scope", nil, "`scope` that the key has; required, may be repeated")
	flags.StringArrayVar(&k.Prefixes, "prefix", nil, "`beginning` of the names of the commands that the key is for; may be repeated")
	flags.Int64Var(&days, "expires-days", 0, "days after which the key counts no more; 0 is never")
	flags.StringVar(&k.Subject, "subject", "", "`name` in the certificate of a client that shows one: DNS name, URI, e-mail address or, without those, common name")
	f.flags(cmd)
	completeFlag(cmd, "scope", auth.All.Names()...)
	return func(ctx context.Context, c *client.Client, args []string) (shown, error) {
		switch {
		case len(k.Scopes) == 0:
			return shown{}, usageError("key create needs to know what the key is for; give --scope, one of %s", strings.Join(auth.All.Names(), ", "))
		case days < 0 || days > maxDays:
			return shown{}, usageError("--expires-days is %d; it takes a whole number from 0, which is never, to %d", days, maxDays)
		}
		if _, err := auth.ParseScopes(k.Scopes); err != nil {
			return shown{}, usageError("--scope: %v", err)
		}
		if k.Subject != "" && (f.out != "" || f.publicKey != "") {
			return shown{}, usageError("--subject is for a client that shows a certificate, which has neither a secret nor a public key here; leave --out and --public-key out")
		}
		var err error
		if k.PublicKey, err = f.read(p); err != nil {
			return shown{}, err
		}
		if k.PublicKey != "" {
			k.Kind = api.SignatureKey
		}
		if k.Subject != "" {
			k.Kind = api.CertificateKey
		}
		if days > 0 {
			k.Expires = time.Now().AddDate(0, 0, int(days)).UTC().Truncate(time.Second)
		}
		k.Name = args[0]
		made, err := c.CreateKey(ctx, k)
		if err != nil {
			return shown{}, err //nolint:wrapcheck // refused words it
		}
		return f.tell(&made, "made")
	}
}

func keys(ctx context.Context, c *client.Client, _ []string) (shown, error) {
	list, err := c.Keys(ctx)
	return tabled(list, err, "NAME\tKIND\tSCOPES\tPREFIXES\tEXPIRES (UTC)\tLAST USED (UTC)", func(k api.Key) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", k.Name, k.Kind, listed(k.Scopes), listed(k.Prefixes), moment(k.Expires), moment(k.LastUsed))
	})
}

// moment is a time in a cell, if there is one.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

func askKeyRotate(p *Process, cmd *cobra.Command) asking {
	f := new(keyFiles)
	var graceHours int64
	cmd.Flags().Int64Var(&graceHours, "grace-hours", 0, "hours for which the secret or public key before holds, too")
	f.flags(cmd)
	return func(ctx context.Context, c *client.Client, args []string) (shown, error) {
		publicKey, err := f.read(p)
		if err != nil {
			return shown{}, err
		}
		made, err := c.RotateKey(ctx, args[0], api.Rotation{GraceS: graceHours * int64(time.Hour/time.Second), PublicKey: publicKey})
		if err != nil {
			return shown{}, err //nolint:wrapcheck // refused words it
		}
		return f.tell(&made, "rotated")
	}
}

func deleteKey(ctx context.Context, c *client.Client, args []string) (shown, error) {
	return done(args[0], "deleted", c.DeleteKey(ctx, args[0]))
}
