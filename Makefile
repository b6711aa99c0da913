# Needs on a fresh machine: Python 3.11 or newer, Node.js 20.19 or newer, make.
PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
SESSION ?= session
# Processes that the Python tests share; 0: one after the other, in this one.
JOBS ?= 2

BIN := .venv/bin
SETUP := $(PYTHON) -m fewclick.setup_environment

.DEFAULT_GOAL := help
.PHONY: help setup demo up dev check test bench bench-robot bench-features bench-page client clean

help:
	@echo "make demo    set everything up, make two demo sessions (segmentation, classification), serve them (PORT=$(PORT))"
	@echo "make up      serve the session in SESSION=$(SESSION) (PORT=$(PORT))"
	@echo "make dev     as demo, with the page served by Vite and reloaded on every change"
	@echo "make test    all tests: Python, TypeScript, a real browser (JOBS=$(JOBS) processes, PYTEST_ARGS=\"tests/db -k undo\")"
	@echo "make check   format, lint, types, import rules, generated files up to date"
	@echo "make client  write docs/openapi.json and the TypeScript client anew"
	@echo "make bench   measure learning, write docs/benchmarks.md (BENCH_ARGS=\"latency --data DIR\")"
	@echo "make bench-robot     label the product as a person would, by HTTP (BENCH_ARGS=\"--sets NAME\")"
	@echo "make bench-features  measure the making and keeping of features (BENCH_ARGS=\"speed forms\")"
	@echo "make bench-page      measure the page in a browser: clicks, next image, frames (BENCH_ARGS=\"clicks\")"
	@echo "make setup   only install what the others need"
	@echo "make clean   remove what was installed and built; sessions stay"

setup:
	@$(SETUP) dev page

demo:
	@$(SETUP) runtime page
	@exec $(BIN)/fewclick demo --host $(HOST) --port $(PORT)

up:
	@$(SETUP) runtime page
	@exec $(BIN)/fewclick up --session $(SESSION) --host $(HOST) --port $(PORT)

dev:
	@$(SETUP) dev page
	@$(BIN)/fewclick demo --port 8000 & server=$$!; trap 'kill $$server' EXIT INT TERM; \
	  npm --prefix frontend run dev

check:
	@$(SETUP) dev node
	@$(BIN)/python -m fewclick.checks

test:
	@$(SETUP) dev page
	@FEWCLICK_BROWSER=$$($(BIN)/python -m fewclick.ensure_browser) && export FEWCLICK_BROWSER && \
	  npm --prefix frontend run --silent test && \
	  $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(PYTEST_ARGS)

bench:
	@$(SETUP) bench
	@$(BIN)/python -m benchmarks.learning --out docs/benchmarks.md $(BENCH_ARGS)

bench-robot:
	@$(SETUP) dev
	@$(BIN)/python -m benchmarks.robot $(BENCH_ARGS)

bench-features:
	@$(SETUP) dev
	@$(BIN)/python -m benchmarks.features --out docs/benchmarks.md $(BENCH_ARGS)

bench-page:
	@$(SETUP) dev page
	@FEWCLICK_BROWSER=$$($(BIN)/python -m fewclick.ensure_browser) && export FEWCLICK_BROWSER && \
	  $(BIN)/python -m benchmarks.page --out docs/benchmarks.md $(BENCH_ARGS)

client:
	@$(SETUP) dev node
	@$(BIN)/python -m backend.openapi
	@npm --prefix frontend run --silent client

clean:
	rm -rf .venv .setup frontend/node_modules frontend/dist
