# `make run` shows the main job, `make test` proves it; both set up what is missing first.

# With an empty HOME, rustup's commands don't find the toolchains that lie beside them.
export RUSTUP_HOME := $(shell .tools/rustup-home)
export CARGO_TERM_COLOR ?= auto

# The whole workspace in each command: another selection of packages has other features of shared dependencies,
# and cargo would build the engine a second time.
WORKSPACE := --workspace
# What is built for the sandbox; a plugin's package is named after its folder.
COMPONENTS := -p forge-guests $(patsubst plugins/%/,-p forge-plugin-%,$(wildcard plugins/*/))
PREFIX ?= $(HOME)/.cargo

.NOTPARALLEL:
.PHONY: help setup build plugins test lint check run bench doc install

help: ## show these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## install what is missing: the wasm target, the test servers (under target/)
	@.tools/setup

plugins: setup ## build the plugins and the tests' guests as components
	@.tools/plugins

build: plugins ## build everything, the plugins inside the program
	cargo build $(WORKSPACE)

run: build ## set and read a secret through the sandbox, with no configuration
	@.tools/run

test: build ## run all tests, against the real program and real servers
	cargo test $(WORKSPACE)

lint: plugins ## formatting, clippy for host and guests, documentation, licences
	cargo fmt --check
	cargo clippy --locked $(WORKSPACE) --all-targets -- -D warnings
	.tools/wasm-cargo clippy --locked $(COMPONENTS) --lib -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc $(WORKSPACE) --no-deps
	@if command -v cargo-deny >/dev/null; then cargo deny check; else echo "lint: cargo-deny is not installed, so licences and advisories were not checked"; fi

check: lint test ## what a change has to pass

bench: plugins ## print medians and ratios against an empty program, a raw GET, curl, secretspec and a native call
	cargo build $(WORKSPACE) --release
	cargo run --locked --release -p forge-tests --bin bench

doc: ## build the documentation of all crates
	cargo doc $(WORKSPACE) --no-deps

install: plugins ## install the program into PREFIX/bin and its manual pages into PREFIX/share/man
	cargo install --locked --path host/cli --root $(PREFIX)
	$(PREFIX)/bin/forge man $(PREFIX)/share/man/man1
