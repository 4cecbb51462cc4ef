// Package telemetry holds the metrics of the server in the form of Prometheus.
//
// [Metrics] counts what passes by: requests, executions, compilations. What
// others count themselves, or what is a state, is read when somebody asks for
// the metrics; package engine and others give it by functions.
//
// All metrics are in one table, from which docs/operations.md is made. No label
// has a value that a client could choose.
package telemetry
