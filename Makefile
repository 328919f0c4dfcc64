# Everything a developer does here. `make help` lists it; the set-up installs what is missing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tools for tests live outside the clone.
export DAYCAP_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/daycap
export DAYCAP_PYTHON ?= $(DAYCAP_CACHE)/venv/bin/python
export PATH := $(DAYCAP_CACHE)/venv/bin:$(DAYCAP_CACHE)/bin:$(PATH)

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Where `make run` keeps its ledger.
STATE ?= $(TARGET)/run-state
# How long `make soak` goes on.
MINUTES ?= 10

# How long `make fuzz` stays with each target.
FUZZ_SECONDS ?= 300

.PHONY: help run test lint docs deny unit bench soak fuzz fmt samples clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: ## build daycap; run it on sample-logs/ and a busy client, with a quota of 2,000 a day
	@scripts/setup.sh build
	cargo build --locked --release
	@scripts/run.sh $(TARGET)/release/daycap $(STATE)

test: ## format, lints, docs, licences, doc tests, then every test
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory lint docs deny unit

lint:
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings

# The documentation is the developers': private items are in it, and links to them are welcome.
docs:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --locked --no-deps --document-private-items --quiet
	cargo test --locked --doc --quiet

deny:
	cargo-deny --locked check licenses bans sources

# Benches are compiled in the tests' profile, so that the dependencies are not built twice.
unit:
	cargo build --locked --benches
	cargo nextest run --locked

bench: ## time the hot paths, then one job side by side with DuckDB
	@scripts/setup.sh test
	cargo bench --locked --benches
	benches/versus-duckdb.sh

soak: ## MINUTES=10 of busy writers, logrotate and kill -9, then each line is looked for; SEED=N repeats a run's chances
	@scripts/setup.sh test
	cargo build --locked --release
	@$(DAYCAP_PYTHON) scripts/soak.py $(TARGET)/release/daycap --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

fuzz: ## look for inputs that break a promise, FUZZ_SECONDS=300 a target; needs nightly Rust and cargo-fuzz
	@scripts/fuzz.sh $(FUZZ_SECONDS) $(TARGET)/fuzz

fmt: ## format the sources
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml

samples: ## make sample-logs/ again, from its seed
	cargo run --locked --quiet --example generate -- samples sample-logs

clean: ## forget the ledger of `make run`
	rm -rf $(STATE)
