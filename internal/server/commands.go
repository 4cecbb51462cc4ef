package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/registry"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// nameOf is the name in a path, with what is percent-encoded in it.
func nameOf(c *fiber.Ctx) string { return strings.Clone(nameIn(c)) }

// nameIn is nameOf for as long as the request lasts.
func nameIn(c *fiber.Ctx) string {
	raw := c.Params("name")
	if name, err := url.PathUnescape(raw); err == nil { // which is raw itself if nothing is encoded
		return name
	}
	return raw
}

// listCommands answers GET /api/v1/commands.
func (s *Server) listCommands(c *fiber.Ctx) error {
	q := registry.Query{Prefix: strings.Clone(c.Query("prefix")), After: strings.Clone(c.Query("after"))}
	var err error
	if q.Active, err = queryBool(c, "active"); err != nil {
		return err
	}
	if q.Disabled, err = queryBool(c, "disabled"); err != nil {
		return err
	}
	if q.Limit, err = pageLimit(c); err != nil {
		return err
	}
	list, more := s.commands.State().List(q)
	page := api.Commands{Commands: make([]api.Command, len(list))}
	for i, command := range list {
		page.Commands[i] = s.commandDocument(command)
	}
	if more {
		page.Next = list[len(list)-1].Name
	}
	return sendJSON(c, page)
}

// pageLimit is how many a page of a list has at most.
func pageLimit(c *fiber.Ctx) (int, error) {
	text := c.Query("limit")
	if text == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, newProblem(http.StatusBadRequest, diag.BadFieldValue, "limit is %q; it takes a whole number from 1 to %d", printable(text), maxPage)
	}
	return n, nil
}

func queryBool(c *fiber.Ctx, name string) (*bool, error) {
	text := c.Query(name)
	switch text {
	case "":
		return nil, nil
	case "true", "false":
		value := text == "true"
		return &value, nil
	}
	return nil, newProblem(http.StatusBadRequest, diag.BadFieldValue, "%s is %q; it takes true or false", name, printable(text))
}

// getCommand answers GET /api/v1/commands/{name}: what the command is, or the
// module of its active version.
func (s *Server) getCommand(c *fiber.Ctx) error {
	command, err := s.command(nameOf(c))
	switch {
	case err != nil:
		return err
	case !wantsModule(c):
		return sendJSON(c, s.commandDocument(command))
	}
	v, err := s.versionToRun(command.Name, 0)
	if err != nil {
		return err
	}
	return s.sendModule(c, v)
}

// command finds a command, or says that there is none and which may be meant.
func (s *Server) command(name string) (*registry.Command, error) {
	state := s.commands.State()
	if command, ok := state.Command(name); ok {
		return command, nil
	}
	p := runProblem(new(note), s.commands.Unknown(printable(name)))
	if p.code == diag.NoSuchCommand {
		p.suggestion = diag.DidYouMean(name, namesLike(state, name))
	}
	return nil, p
}

// namesLike are names of commands to look for a similar one among: all, or if
// they are many those that begin alike.
func namesLike(state *registry.State, name string) []string {
	q := registry.Query{Limit: maxPage}
	if _, size := utf8.DecodeRuneInString(name); state.Commands() > maxPage {
		q.Prefix = name[:size]
	}
	list, _ := state.List(q)
	names := make([]string, len(list))
	for i, command := range list {
		names[i] = command.Name
	}
	return names
}

// listVersions answers GET /api/v1/commands/{name}/versions.
func (s *Server) listVersions(c *fiber.Ctx) error {
	command, err := s.command(nameOf(c))
	if err != nil {
		return err
	}
	limit, err := pageLimit(c)
	if err != nil {
		return err
	}
	before := 0
	if after := c.Query("after"); after != "" {
		if before, err = versionNumber(after); err != nil {
			return err
		}
	}
	versions, more := command.Recent(before, limit)
	page := api.Versions{Versions: make([]api.Version, len(versions))}
	for i, v := range versions {
		page.Versions[i] = s.versionDocument(command, v)
	}
	if more {
		page.Next = strconv.Itoa(versions[len(versions)-1].Number)
	}
	return sendJSON(c, page)
}

// getVersion answers GET /api/v1/commands/{name}/versions/{version}.
func (s *Server) getVersion(c *fiber.Ctx) error {
	number, err := versionNumber(c.Params("version"))
	if err != nil {
		return err
	}
	command, err := s.command(nameOf(c))
	if err != nil {
		return err
	}
	v := command.Version(number)
	switch {
	case v == nil:
		return noVersion(command.Name, number)
	case wantsModule(c):
		return s.sendModule(c, v)
	}
	return sendJSON(c, s.versionDocument(command, v))
}

func versionNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, newProblem(http.StatusBadRequest, diag.BadFieldValue, "%q is no version; versions are numbers from 1", printable(text))
	}
	return n, nil
}

// wantsModule tells whether the client asks for the bytes.
func wantsModule(c *fiber.Ctx) bool { return wantsMedia(c, api.WASM) }

// wantsMedia tells whether the client asks for a media type by name.
func wantsMedia(c *fiber.Ctx, want string) bool {
	c.Vary(fiber.HeaderAccept)
	for accepted := range strings.SplitSeq(c.Get(fiber.HeaderAccept), ",") {
		media, _, _ := strings.Cut(accepted, ";")
		if strings.EqualFold(strings.TrimSpace(media), want) {
			return true
		}
	}
	return false
}

// sendModule answers the bytes of a version, unless the client has them. They
// are named by their digest and never change.
func (s *Server) sendModule(c *fiber.Ctx, v *registry.Version) error {
	nameVersion(c, v)
	tag := `"` + v.Digest.String() + `"`
	c.Response().Header.Set(fiber.HeaderETag, tag)
	if hasTag(c.Get(fiber.HeaderIfNoneMatch), tag) {
		c.Response().Header.SetNoDefaultContentType(true)
		c.Status(http.StatusNotModified)
		return nil
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	module, err := s.commands.Module(ctx, v)
	if err != nil {
		return s.commandProblem(noteOf(c), v.Command, err)
	}
	c.Response().Header.SetContentType(api.WASM)
	c.Response().SetBodyRaw(module)
	return nil
}

// hasTag tells whether a list of entity tags has this one.
func hasTag(list, tag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == tag || candidate == "*" {
			return true
		}
	}
	return false
}

// nameVersion says in the answer's headers and in the log which version it is
// about.
func nameVersion(c *fiber.Ctx, v *registry.Version) {
	header := &c.Response().Header
	var number [20]byte // digits enough for each
	header.SetCanonical(keyVersion, strconv.AppendInt(number[:0], int64(v.Number), 10))
	var digest [2 * len(v.Digest)]byte
	hex.Encode(digest[:], v.Digest[:])
	header.SetCanonical(keyVersionDigest, digest[:])
	note := noteOf(c)
	note.command, note.version, note.digest = v.Command, v.Number, audit.Digest(v.Digest)
}

// putCommand answers PUT /api/v1/commands/{name}: a module, or a script that the
// server builds and signs.
func (s *Server) putCommand(c *fiber.Ctx) error {
	name := nameOf(c)
	if err := permitName(c, name); err != nil {
		return err
	}
	activate, err := queryBool(c, "activate")
	if err != nil {
		return err
	}
	o := registry.UploadOptions{Activate: activate != nil && *activate, By: changer(c), Note: cleanText([]byte(c.Query("note")))}
	if o.Limits, err = s.queryLimits(c); err != nil {
		return err
	}
	if text := c.Query("interface"); text != "" {
		if o.Interface, err = registry.ParseInterface([]byte(text)); err != nil {
			return s.registryProblem(noteOf(c), err)
		}
	}
	module, err := s.moduleBody(c)
	if err != nil {
		return err
	}
	if module != nil {
		return s.store(c, name, o.Activate, func(ctx context.Context) (*registry.Version, error) { return s.commands.Upload(ctx, name, module, o) })
	}
	source, err := s.scriptBody(c)
	if err != nil {
		return err
	}
	return s.store(c, name, o.Activate, func(ctx context.Context) (*registry.Version, error) { return s.build(ctx, name, source, o) })
}

// queryLimits are the limits that a version is to have; what is not named is
// left to the signer and the server. What no execution here may have is refused,
// as in the limits of an execution.
func (s *Server) queryLimits(c *fiber.Ctx) (registry.Limits, error) {
	var limits config.Limits
	most := s.settings.Load().LimitsMax
	for _, m := range limitMembers {
		text := c.Query(m.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if bound := *m.place(&most); err != nil || n < m.least || n > bound {
			return registry.Limits{}, newProblem(http.StatusBadRequest, diag.BadFieldValue, "%s is %q; it takes a whole number from %d to %d, which is this server's limit", m.name, printable(text), m.least, bound)
		}
		*m.place(&limits) = n
	}
	return registry.Limits(limits), nil
}

// moduleBody gives a copy of the body if it is a module, by its type or by its
// first bytes. A compile that has begun reads it after the request has ended.
func (s *Server) moduleBody(c *fiber.Ctx) ([]byte, error) {
	body, release, err := readBodyWithin(c, int(s.settings.Load().Registry.ArtifactLimitBytes))
	if err != nil {
		return nil, err
	}
	defer release()
	media, _, err := mediaType(contentType(c))
	if err != nil {
		return nil, err
	}
	if media == api.WASM {
		return bytes.Clone(body), nil
	}
	if !bytes.HasPrefix(body, []byte("\x00asm")) {
		return nil, nil
	}
	switch media {
	case "", fiber.MIMEOctetStream, fiber.MIMEApplicationForm: // what curl says for its user
		return bytes.Clone(body), nil
	}
	return nil, newProblem(http.StatusUnsupportedMediaType, diag.BadBodyType, "the body is a module, and its content type is %q; send it as %s", printable(media), api.WASM)
}

// store adds a version and answers with it. What it is made of lives on when the
// client does not.
func (s *Server) store(c *fiber.Ctx, name string, activate bool, add func(context.Context) (*registry.Version, error)) error {
	before := 0
	if command, ok := s.commands.State().Command(name); ok {
		before = command.Highest
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	v, err := add(ctx)
	if err != nil {
		return s.commandProblem(noteOf(c), name, err)
	}
	nameVersion(c, v)
	if v.Number > before {
		c.Status(http.StatusCreated)
		c.Response().Header.Set(fiber.HeaderLocation, fmt.Sprintf("%s/%s/versions/%d", pathCommands, url.PathEscape(v.Command), v.Number))
	}
	command, ok := s.commands.State().Command(v.Command)
	if !ok || command.Version(v.Number) == nil { // it is stored, and not seen here yet
		command = &registry.Command{Name: v.Command}
		if activate {
			command.Active = v.Number
		}
	}
	return sendJSON(c, s.versionDocument(command, v))
}

// build makes a version of a script.
func (s *Server) build(ctx context.Context, name, source string, o registry.UploadOptions) (*registry.Version, error) {
	v, findings, err := s.commands.Build(ctx, name, source, o)
	if v == nil && err == nil {
		err = findings
	}
	return v, err
}

// change answers with the command as it is after a change.
func (s *Server) change(c *fiber.Ctx, do func(ctx context.Context, name string) (*registry.Command, error)) error {
	name := nameOf(c)
	if err := permitName(c, name); err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	command, err := do(ctx, name)
	if err != nil {
		return s.commandProblem(noteOf(c), name, err)
	}
	noteOf(c).command = name
	return sendJSON(c, s.commandDocument(command))
}

// activateCommand answers POST /api/v1/commands/{name}/activate.
func (s *Server) activateCommand(c *fiber.Ctx) error {
	var in api.Activation
	if err := readDocument(c, &in); err != nil {
		return err
	}
	return s.change(c, func(ctx context.Context, name string) (*registry.Command, error) {
		return s.commands.Activate(ctx, name, in.Version, changer(c))
	})
}

// rollbackCommand answers POST /api/v1/commands/{name}/rollback.
func (s *Server) rollbackCommand(c *fiber.Ctx) error {
	return s.change(c, func(ctx context.Context, name string) (*registry.Command, error) {
		return s.commands.Rollback(ctx, name, changer(c))
	})
}

// disableCommand answers POST /api/v1/commands/{name}/disable.
func (s *Server) disableCommand(c *fiber.Ctx) error {
	return s.change(c, func(ctx context.Context, name string) (*registry.Command, error) {
		return s.commands.SetDisabled(ctx, name, true, changer(c))
	})
}

// enableCommand answers POST /api/v1/commands/{name}/enable.
func (s *Server) enableCommand(c *fiber.Ctx) error {
	return s.change(c, func(ctx context.Context, name string) (*registry.Command, error) {
		return s.commands.SetDisabled(ctx, name, false, changer(c))
	})
}

// deleteCommand answers DELETE /api/v1/commands/{name}.
func (s *Server) deleteCommand(c *fiber.Ctx) error {
	name := nameOf(c)
	if err := permitName(c, name); err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	if err := s.commands.Delete(ctx, name, changer(c)); err != nil {
		return s.commandProblem(noteOf(c), name, err)
	}
	noteOf(c).command = name
	c.Response().Header.SetNoDefaultContentType(true)
	return c.SendStatus(http.StatusNoContent)
}

// executeCommand answers POST /api/v1/commands/{name}/execute, where a version
// may stand behind the name.
func (s *Server) executeCommand(c *fiber.Ctx) error {
	name, number, err := splitVersion(nameIn(c))
	if err != nil {
		return err
	}
	if err := permitName(c, name); err != nil {
		return err
	}
	in, body, form, release, err := s.decodeInput(c, true)
	if err != nil {
		return err
	}
	defer release()
	query, err := queryPairs(c)
	if err != nil {
		return err
	}
	v, err := s.versionToRun(name, number)
	if err != nil {
		return err
	}
	nameVersion(c, v)
	n := noteOf(c)
	r := n.ask(in.request(clientOf(c)))
	r.Body, r.Query, r.Form = body, query, form
	return s.answer(c, s.patience(r.Limits), func(ctx context.Context) (*engine.Answer, error) { return s.runCommand(ctx, n, v, r) })
}

// runCommand runs a version of a command.
func (s *Server) runCommand(ctx context.Context, n *note, v *registry.Version, r *engine.Request) (*engine.Answer, error) {
	answer, err := s.commands.Execute(ctx, v.Command, v.Number, r)
	if failure, ok := errors.AsType[*diag.Failure](err); ok && failure.Code == diag.CommandUnusable {
		err = s.commandProblem(n, v.Command, err)
	}
	return answer, err
}

// splitVersion takes the number of a version off the name of a command; without
// one it is 0.
func splitVersion(text string) (name string, number int, err error) {
	name, version, hasVersion := strings.Cut(text, "@")
	if hasVersion {
		number, err = versionNumber(version)
	}
	return name, number, err
}

// versionToRun finds a version, the active one for the number 0. Whether it may
// run is decided when it does.
func (s *Server) versionToRun(name string, number int) (*registry.Version, error) {
	command, err := s.command(name)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		if number = command.Active; number == 0 {
			p := newProblem(http.StatusConflict, diag.CommandUnusable, "the command %s has no active version", printable(name))
			p.current = new(s.commandDocument(command))
			return nil, p
		}
	}
	v := command.Version(number)
	if v == nil {
		return nil, noVersion(name, number)
	}
	return v, nil
}

func noVersion(name string, number int) error {
	return newProblem(http.StatusNotFound, diag.NoSuchCommand, "the command %s has no version %d", printable(name), number)
}
