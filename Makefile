# make help lists the commands. `make demo` runs the main job, `make test` every test of every language.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
export SENDPATH_MODEL_SERVER := $(CURDIR)/target/debug/sendpath-model-server

# Tested by their own commands, with their own features.
OTHERS := --exclude sendpath --exclude sendpath-uniffi --exclude uniffi-bindgen
# Not in what is shipped, but checked and tested with the rest.
POSTGRES := --features sendpath-storage/postgres,sendpath-engine/postgres

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: ## what the machine needs; installs Debian packages when root
	@scripts/setup.sh

.PHONY: demo
demo: setup ## the story of a 463, start to end, and the same send from four languages
	@scripts/demo-languages.sh
	@$(CARGO) run --quiet --locked -p sendpath-demo -- build/demo

.PHONY: test
test: test-rust test-c test-go test-python test-kotlin test-interop ## every test of every language

.PHONY: test-rust
test-rust: setup ## Rust: units, vectors, properties, PostgreSQL, end to end, 200 kills, documentation
	$(CARGO) test --workspace --locked $(OTHERS) $(POSTGRES)

.PHONY: test-c
test-c: setup ## C: the ABI under gcc, g++ and valgrind; the committed header
	$(CARGO) test --locked -p sendpath --features header,panic-injection

.PHONY: model-server
model-server: setup
	@$(CARGO) build --quiet --locked -p sendpath-model-server

.PHONY: test-go
test-go: model-server ## Go, with the race detector
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
lint: setup ## formatting, lints, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked $(POSTGRES) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked $(POSTGRES) --quiet
	cd bindings/go && test -z "$$(gofmt -l .)"

.PHONY: bench
bench: setup ## figures: name and nanoseconds, instructions where the machine can count them
	@$(CARGO) run --quiet --release --locked -p sendpath-bench

.PHONY: soak
soak: setup ## 100 accounts with faults, flat memory, nothing lost: HOURS=n or MINUTES=n, 30 minutes else
	$(CARGO) run --quiet --locked -p sendpath-soak -- $(or $(if $(HOURS),$(shell expr $(HOURS) \* 60)),$(MINUTES),30)

SECONDS_EACH := $(or $(SECONDS),60)
.PHONY: fuzz
fuzz: setup ## bytes of others, made up: SECONDS=1200 for each target, TARGETS="wap pb"; docs/fuzzing.md
	nice -n 19 scripts/fuzz.sh $(SECONDS_EACH) $(TARGETS)

.PHONY: mutants
mutants: setup ## changes the token rules on purpose: does a test notice? takes hours; docs/mutation.md
	@command -v cargo-mutants >/dev/null || $(CARGO) install --locked cargo-mutants@27.1.0
	SENDPATH_MODEL_SEEDS=600 nice -n 15 $(CARGO) mutants --package sendpath-protocol -j1 --output build

.PHONY: header
header: setup ## writes include/sendpath.h anew
	SENDPATH_WRITE_HEADER=1 $(CARGO) check --locked -p sendpath --features header

.PHONY: clean
clean: ## everything that was built
	$(CARGO) clean
	rm -rf build bindings/go/lib
