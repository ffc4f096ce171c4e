# make help lists the commands. `make demo` runs the main job, `make test` every test of every language.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
export SENDPATH_MODEL_SERVER := $(CURDIR)/target/debug/sendpath-model-server

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: ## what the machine needs; installs Debian packages when root
	@scripts/setup.sh

.PHONY: demo
demo: setup demo-bindings ## the story of a 463, start to end, and the same send from four languages
	@$(CARGO) run -q -p sendpath-demo

.PHONY: demo-bindings
demo-bindings: model-server native
	@bindings/python/build.sh
	@bindings/kotlin/build.sh

.PHONY: test
test: test-rust test-c test-go test-python test-kotlin test-interop ## every test of every language

.PHONY: test-rust
test-rust: setup ## Rust: units, vectors, properties, crash test, documentation
	$(CARGO) test --workspace --locked

.PHONY: model-server
model-server: setup
	@$(CARGO) build -q -p sendpath-model-server --locked

.PHONY: native
native: setup ## the shared and the static library, for tests
	@ffi/build.sh

.PHONY: test-c
test-c: model-server native ## C: the ABI under gcc, g++ and valgrind
	tests/c/run.sh

.PHONY: test-go
test-go: model-server native ## Go, with the race detector
	bindings/go/test.sh

.PHONY: test-python
test-python: model-server ## Python: the wheel in a fresh environment
	bindings/python/test.sh

.PHONY: test-kotlin
test-kotlin: model-server ## Kotlin: the packaged jar
	bindings/kotlin/test.sh

.PHONY: test-interop
test-interop: model-server ## the model server against unmodified whatsmeow and Baileys
	tests/interop/run.sh

.PHONY: lint
lint: setup ## formatting, lints, documentation, the committed header
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked -q
	cd bindings/go && gofmt -l . | (! grep .) && go vet ./...

.PHONY: bench
bench: setup ## figures: name and nanoseconds, instructions where the machine can count them
	@$(CARGO) run -q --release -p sendpath-bench

.PHONY: header
header: setup ## writes include/sendpath.h anew
	$(CARGO) run -q --features header --bin write-header

.PHONY: clean
clean: ## everything that was built
	$(CARGO) clean
	rm -rf build bindings/python/build bindings/kotlin/target
