package server

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/registry"
)

// compilation is the body of POST /api/v1/compile. The vendor's server takes the
// name of a command whose source it has; here the source comes along.
type compilation struct {
	Name   string  `json:"command_name"`
	Script *string `json:"script"`
}

// compiled is the answer: that of the vendor's server, and then what it does not
// have.
type compiled struct {
	Success bool   `json:"success"`
	Command string `json:"command"`
	// Size is that of the module, which is what stands for bytecode here.
	Size    int    `json:"bytecode_size"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

// messageNoCommand is one of the messages that callers match on.
const messageNoCommand = "command_name is required"

// compile answers POST /api/v1/compile. With a script, that becomes the active
// version of the command; without one, the answer is about the active version,
// which was compiled when it was stored.
func (s *Server) compile(c *fiber.Ctx) error {
	var in compilation
	if err := readLaxDocument(c, &in); err != nil {
		return err
	}
	if in.Name == "" {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "%s", messageNoCommand)
	}
	if err := permitName(c, in.Name); err != nil {
		return err
	}
	if in.Script == nil {
		v, err := s.commands.State().Resolve(in.Name, 0)
		if err != nil {
			return s.commandProblem(noteOf(c), in.Name, err)
		}
		return sendCompiled(c, v)
	}
	script := s.newCall()
	script.script, script.hasScript = *in.Script, true
	if err := checkScript(&script); err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	v, err := s.build(ctx, in.Name, *in.Script, registry.UploadOptions{Activate: true, By: changer(c)})
	if err != nil {
		return s.commandProblem(noteOf(c), in.Name, err)
	}
	return sendCompiled(c, v)
}

func sendCompiled(c *fiber.Ctx, v *registry.Version) error {
	nameVersion(c, v)
	return sendJSON(c, compiled{Success: true, Command: v.Command, Size: v.Size, Version: v.Number, Digest: v.Digest.String()})
}
