// Package layers holds the rules about which package may import which. They
// are a test: docs/architecture.md explains them, layers_test.go enforces them.
package layers
