package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/engine"
)

// callFlags are the flags of call.
type callFlags struct {
	remote
	vars, params   []string
	varsJSON, body string
}

func callCommand(p *Process) *cobra.Command {
	f := new(callFlags)
	cmd := f.command(p, &cobra.Command{
		Use:   "call NAME[@VERSION]",
		Short: "Run a command on a server and print its results",
		Long: `Run a command on a server and print its results: the version that is active, or
the one that is named. It takes what avap run takes: variables are the script's at
its start, --param and the members of --body are parameters for addParam. An object
comes from the command line, from a file as @file, or from standard input as @-.

With --output answer the whole document is printed, with the logs of a module that
was built with --logs.`,
		Example: `  avap call price --body '{"quantity": 3, "country": "ES"}'
  avap call price --param quantity=3 --param country=ES
  avap call price@2 --vars @variables.json --param quantity=3
  jq .order today.json | avap call price --body @- --output text`,
		Args: arguments(1, 1, "the name of a command"),
	}, func(ctx context.Context, c *client.Client, args []string) error { return f.call(ctx, p, c, args[0]) }, "json", "text", "answer")
	flags := cmd.Flags()
	flags.StringArrayVar(&f.vars, "var", nil, "a variable, `name=value`; a value that is JSON is that value, any other is text")
	flags.StringVar(&f.varsJSON, "vars", "", "variables as a JSON `object`, or @file")
	flags.StringArrayVar(&f.params, "param", nil, "a query parameter for addParam, `name=value`; may be repeated")
	flags.StringVar(&f.body, "body", "", "body members for addParam as a JSON `object`, or @file")
	return cmd
}

func (f *callFlags) call(ctx context.Context, p *Process, c *client.Client, arg string) error {
	name, version, err := commandArgument(arg)
	if err != nil {
		return err
	}
	request, err := f.request(p)
	if err != nil {
		return err
	}
	query, err := readParams(f.params)
	if err != nil {
		return err
	}
	document, err := c.Execute(ctx, name, version, queryValues(query), request)
	if err != nil {
		return err //nolint:wrapcheck // refused words it
	}
	if len(document) == 0 { // the script chose a status without a body
		return nil
	}
	if f.output == "answer" {
		_, err := fmt.Fprintf(p.Stdout, "%s\n", document)
		return written(err)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Logs   json.RawMessage `json:"logs"`
	}
	if err := json.Unmarshal(document, &answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return printResult(p, f.output, answer.Result, answer.Logs)
}

func queryValues(pairs []engine.Pair) url.Values {
	values := url.Values{}
	for _, pair := range pairs {
		values.Add(pair.Name, pair.Value)
	}
	return values
}

// request is the body of the execution.
func (f *callFlags) request(p *Process) ([]byte, error) {
	body, err := readObject(p, "body", f.body)
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
	members := map[string]json.RawMessage{}
	if body != nil {
		if err := json.Unmarshal(body, &members); err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
	}
	if variables != nil {
		members["variables"] = variables
	}
	request, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return request, nil
}
