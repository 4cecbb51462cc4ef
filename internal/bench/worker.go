package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/avapd/avapd/internal/bench/kernels"
	"github.com/avapd/avapd/internal/bench/load"
	"github.com/avapd/avapd/internal/bench/machine"
)

// roleVariable makes this program play a part beside the one that measures:
// each part has a process and cores of its own.
const roleVariable = "AVAP_BENCH_ROLE"

var roles = map[string]func(in io.Reader, out io.Writer) error{
	"load":      serveLoads,
	"echo":      serveEcho,
	"engine":    serveEngine,
	"unmetered": serveUnmetered,
	"native":    kernels.ServeNative,
	"tiers":     serveTiers,
}

// playRole runs the part that the environment names, if any.
func playRole() (played bool, err error) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return false, nil
	}
	role, ok := roles[name]
	if !ok {
		return true, fmt.Errorf("%s=%s is no part of this program", roleVariable, name)
	}
	return true, role(os.Stdin, os.Stdout)
}

// process is a child: one that speaks JSON, line by line, or a server that
// prints its address.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	encoder *json.Encoder
	decoder *json.Decoder
	out     io.Reader
}

// start runs a command on the given cores.
func (b *bench) start(cores []int, cmd *exec.Cmd) (*process, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := machine.Start(cmd, cores); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, stdin: stdin, encoder: json.NewEncoder(stdin), decoder: json.NewDecoder(stdout), out: stdout}
	b.processes = append(b.processes, p)
	return p, nil
}

// startRole starts this program in another role.
func (b *bench) startRole(role string, cores []int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(b.ctx, self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return b.start(cores, cmd)
}

// stop ends a child and waits for it.
func (b *bench) stop(p *process) {
	_ = p.stdin.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	for i, other := range b.processes {
		if other == p {
			b.processes = append(b.processes[:i], b.processes[i+1:]...)
			b.ended += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
			return
		}
	}
}

// ask sends a question and reads the answer.
func (p *process) ask(question, answer any) error {
	if err := p.encoder.Encode(question); err != nil {
		return fmt.Errorf("ask %s: %w", p.cmd.Path, err)
	}
	var reply struct {
		Error  string
		Answer json.RawMessage
	}
	if err := p.decoder.Decode(&reply); err != nil {
		return fmt.Errorf("answer of %s: %w", p.cmd.Path, err)
	}
	if reply.Error != "" {
		return errors.New(reply.Error)
	}
	return json.Unmarshal(reply.Answer, answer)
}

// answerAll is the other side of ask, until the input ends.
func answerAll[Q, A any](in io.Reader, out io.Writer, answer func(Q) (A, error)) error {
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q Q
		if err := decoder.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		a, err := answer(q)
		reply := struct {
			Error  string
			Answer A
		}{Answer: a}
		if err != nil {
			reply.Error = err.Error()
		}
		if err := encoder.Encode(reply); err != nil {
			return err
		}
	}
}

func serveLoads(in io.Reader, out io.Writer) error { return answerAll(in, out, load.Run) }

// memory is the resident memory of a child, of which the machine tells.
func (p *process) memory() (int64, error) { return machine.Resident(p.cmd.Process.Pid) }

func (p *process) name() string { return p.cmd.Path + " " + strconv.Itoa(p.cmd.Process.Pid) }
