package server

import (
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/api"
)

// Names of headers that are looked up or set at every request, as fasthttp keeps
// them: others it has to rewrite each time.
var (
	keyAuthorization  = canonical(fiber.HeaderAuthorization)
	keyOrigin         = canonical(fiber.HeaderOrigin)
	keyRequestID      = canonical(fiber.HeaderXRequestID)
	keySecFetchSite   = canonical("Sec-Fetch-Site")
	keySignatureInput = canonical(headerSignatureInput)
	keyExecution      = canonical(api.HeaderExecution)
	keyVersion        = canonical(api.HeaderVersion)
	keyVersionDigest  = canonical(api.HeaderDigest)
)

func canonical(name string) []byte { return fasthttp.AppendNormalizedHeaderKey(nil, name) }
