package tracing

import (
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Key names an attribute.
type Key string

// Attributes of the semantic conventions.
const (
	ErrorType = Key(semconv.ErrorTypeKey)

	HTTPMethod          = Key(semconv.HTTPRequestMethodKey)
	HTTPRoute           = Key(semconv.HTTPRouteKey)
	HTTPStatus          = Key(semconv.HTTPResponseStatusCodeKey)
	HTTPResends         = Key(semconv.HTTPRequestResendCountKey)
	URLScheme           = Key(semconv.URLSchemeKey)
	ServerAddress       = Key(semconv.ServerAddressKey)
	ServerPort          = Key(semconv.ServerPortKey)
	NetworkProtocol     = Key(semconv.NetworkProtocolVersionKey)
	DBSystem            = Key(semconv.DBSystemNameKey)
	DBOperation         = Key(semconv.DBOperationNameKey)
	DBResponseStatus    = Key(semconv.DBResponseStatusCodeKey)
	DBBatchSize         = Key(semconv.DBOperationBatchSizeKey)
	DBReturnedRows      = Key(semconv.DBResponseReturnedRowsKey)
	OtherMethod         = "_OTHER" // of HTTPMethod
	SystemPostgreSQL    = "postgresql"
	SystemSQLite        = "sqlite"
	SystemRedis         = "redis"
	FailureOfAnyOther   = "_OTHER" // of ErrorType
	FailureOfADeadline  = "timeout"
	FailureOfCancelling = "cancelled"
)

// Attributes of our own.
const (
	RequestID       Key = "avap.request.id"
	ExecutionID     Key = "avap.execution.id"
	ScriptDigest    Key = "avap.script.digest"
	ArtifactDigest  Key = "avap.artifact.digest"
	Command         Key = "avap.command.name"
	CommandVersion  Key = "avap.command.version"
	App             Key = "avap.app.name"
	BatchIndex      Key = "avap.batch.index"
	Fuel            Key = "avap.fuel.used"
	Memory          Key = "avap.memory.peak_bytes"
	Tier            Key = "avap.compile.tier"
	Instances       Key = "avap.instances"
	InstancesKept       = "kept" // of Instances
	InstancesFresh      = "fresh"
	TierCode            = "code" // of Tier
	TierTrial           = "trial"
	ArtifactsTier   Key = "avap.artifacts.tier"
	ArtifactsResult Key = "avap.artifacts.result"
)
