# Everything a contributor does, in one place. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
BIN       := bin
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X github.com/avapd/avapd/internal/cli.Version=$(VERSION)
LINTER    := $(BIN)/golangci-lint
# Pinned: a linter that changes by itself makes a red build out of a green one.
LINTER_VERSION := v2.15.0
FUZZTIME ?= 30m
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Serve on 127.0.0.1:8888 (ARGS="--listen 127.0.0.1:0" for other flags)
	$(GO) run ./cmd/avap serve $(ARGS)

.PHONY: nodes
nodes: build ## Serve on three nodes that share a PostgreSQL and a Redis, until Ctrl-C
	$(GO) run ./internal/bench/nodes/serve --avap $(BIN)/avap $(ARGS)

.PHONY: rolling
rolling: ## Restart three nodes behind HAProxy in turn, under load, and fail if a request does
	TEST_SERVICES=required $(GO) test -count=1 -v -run '^TestRollingRestart$$' ./internal/bench/nodes

SOAK ?= 10m
.PHONY: soak
soak: build ## Serve twice the capacity among clients that mean harm, for SOAK, and fail if a promise is broken
	$(GO) run ./internal/bench/soak --avap $(BIN)/avap --duration $(SOAK)

.PHONY: build
build: ## Build bin/avap for this machine
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/avap ./cmd/avap

.PHONY: test
test: ## Run all tests: plain, with the race detector, the conformance cases
	.ci/test

.PHONY: lint
lint: $(LINTER) ## Check style and look for defects
	$(LINTER) run ./...

.PHONY: fmt
fmt: $(LINTER) ## Format all Go code
	$(LINTER) fmt ./...

RUNS ?= 1
.PHONY: bench
bench: ## Measure what speed is promised, RUNS times, and fail if a budget is missed (ARGS="--only http" for a part)
	$(GO) run ./internal/bench --runs $(RUNS) $(ARGS)

.PHONY: bench-document
bench-document: ## Measure as bench does, and renew the tables and pictures of docs/performance.md
	$(GO) run ./internal/bench --runs $(RUNS) --document docs/performance.md --pictures docs/performance $(ARGS)

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target and compare random programs, for FUZZTIME in all
	.ci/fuzz $(FUZZTIME)

.PHONY: conformance
conformance: ## Run the conformance cases over HTTP and print passed/total per area
	$(GO) test -count=1 -v -run '^TestConformance$$' ./internal/conformance

.PHONY: generate
generate: ## Write everything that is made from something else
	$(GO) generate ./...
	$(GO) test -count=1 ./internal/config ./internal/diag -run Documentation -update
	$(GO) test -count=1 ./internal/manual -run Reference -update

.PHONY: cross
cross: ## Build dist/ for every platform
	@for platform in $(PLATFORMS); do \
		os=$${platform%/*} arch=$${platform#*/} suffix=; \
		[[ $$os != windows ]] || suffix=.exe; \
		echo "$$platform"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/avap-$$os-$$arch$$suffix ./cmd/avap; \
	done

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BIN) dist

$(LINTER):
	GOBIN=$(abspath $(BIN)) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER_VERSION)
