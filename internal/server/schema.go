package server

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/api"
)

// commandDocuments are the documents about commands, whose schemas are made from
// their types.
var commandDocuments = []any{
	api.Command{},
	api.Commands{},
	api.Version{},
	api.Versions{},
	api.Parameter{},
	api.Activation{},
	api.Signer{},
	api.Signers{},
	api.TrustChange{},
	api.Limits{},
	api.Revocation{},
	api.Revocations{},
	api.Health{},
	api.NewKey{},
	api.Rotation{},
	api.Key{},
	api.KeyProof{},
	api.Keys{},
	api.Usage{},
	api.ExecutionState{},
	api.Executions{},
	api.AuditRecord{},
	api.AuditPage{},
}

// addSchemas adds the schemas of documents under the names of their types.
func addSchemas(schemas map[string]apiSchema, documents []any) map[string]apiSchema {
	for _, document := range documents {
		t := reflect.TypeOf(document)
		schemas[t.Name()] = structSchema(t)
	}
	return schemas
}

// structSchema describes how a struct is encoded. A member that may be left out
// is not required.
func structSchema(t reflect.Type) apiSchema {
	members := map[string]apiSchema{}
	var required []string
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		members[name] = bounded(typeSchema(field.Type), field.Tag)
		if options == "" {
			required = append(required, name)
		}
	}
	return object(required, members)
}

// bounded adds what the tags of a member say about its text.
func bounded(schema apiSchema, tag reflect.StructTag) apiSchema {
	if words := tag.Get("enum"); words != "" {
		schema["enum"] = strings.Split(words, ",")
	}
	if length, err := strconv.Atoi(tag.Get("maxLength")); err == nil {
		schema["maxLength"] = length
	}
	return schema
}

func typeSchema(t reflect.Type) apiSchema {
	switch t.Kind() {
	case reflect.Bool:
		return typed("boolean")
	case reflect.Int, reflect.Int64:
		return typed("integer")
	case reflect.Float64:
		return typed("number")
	case reflect.Pointer:
		return typeSchema(t.Elem())
	case reflect.Slice:
		return listOf(typeSchema(t.Elem()))
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return apiSchema{"type": "string", "format": "date-time"}
		}
		return reference(t.Name())
	default:
		return typed("string")
	}
}
