package tracing

import (
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Attributes of the semantic conventions.
const (
	ErrorType = semconv.ErrorTypeKey

	HTTPMethod          = semconv.HTTPRequestMethodKey
	HTTPRoute           = semconv.HTTPRouteKey
	HTTPStatus          = semconv.HTTPResponseStatusCodeKey
	HTTPResends         = semconv.HTTPRequestResendCountKey
	URLScheme           = semconv.URLSchemeKey
	ServerAddress       = semconv.ServerAddressKey
	ServerPort          = semconv.ServerPortKey
	NetworkProtocol     = semconv.NetworkProtocolVersionKey
	DBSystem            = semconv.DBSystemNameKey
	DBOperation         = semconv.DBOperationNameKey
	DBResponseStatus    = semconv.DBResponseStatusCodeKey
	DBBatchSize         = semconv.DBOperationBatchSizeKey
	DBReturnedRows      = semconv.DBResponseReturnedRowsKey
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
