package testservices

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a server that ends when the process that started it does.
type Process struct {
	command *exec.Cmd
	end     chan os.Signal
	ended   chan error
}

// Launch starts a server on a thread that lives as long as the server, since
// the kernel ends it together with the thread that started it.
func Launch(command *exec.Cmd) (*Process, error) {
	p := &Process{command: command, end: make(chan os.Signal), ended: make(chan error, 1)}
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithParent(command.SysProcAttr)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err != nil {
			return
		}
		err = command.Process.Signal(<-p.end)
		if errors.Is(err, os.ErrProcessDone) { // the terminal was faster
			err = nil
		}
		p.ended <- errors.Join(err, exited(command.Wait()))
	}()
	return p, <-started
}

// Pid is the process's number.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Stop ends the server by a signal and waits for it. It may be called once.
func (p *Process) Stop(signal os.Signal) error {
	p.end <- signal
	return <-p.ended
}

// exited drops the news that a server ended by our signal, or not with zero.
func exited(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// await asks again and again until a server answers.
func await(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(startPause):
		}
	}
}

func freePort(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}
