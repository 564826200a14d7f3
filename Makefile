# Everything runs in .venv, which the first target that needs it makes.
# PYTHON chooses the interpreter: make test PYTHON=python3.13
PYTHON ?= python3
BIN := .venv/bin
# Without a tracer: a thousand programs that are judged by counting references, which it makes ten times as slow, and
# forks among running threads, whose children may inherit a lock of the tracer's.
UNTRACED := tests/attach/test_fork.py tests/corpus tests/judge/test_corpus.py
.DEFAULT_GOAL := help
.PHONY: help demo test test-pythons check fmt generate pictures bench backtest

help:
	@echo 'make demo      run the leaking promo service with the exporter, and Prometheus if there is one'
	@echo 'make test      run all tests'
	@echo 'make test-pythons  run them on every other Python from 3.11 to 3.14 that is here'
	@echo 'make check     lint, format check, types'
	@echo 'make fmt       format the code'
	@echo 'make generate  rewrite the generated parts of the documentation'
	@echo 'make pictures  take the pictures of the debug page again, with Chromium'
	@echo 'make bench     measure what lowtide costs'
	@echo 'make backtest  judge the alert rules on simulated services with fresh seeds, in a real Prometheus'

.venv/run: pyproject.toml
	$(PYTHON) -m venv .venv || { echo 'no venv module: apt-get install python3-venv (or your system'"'"'s name for it)' >&2; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: .venv/run
	@exec $(BIN)/lowtide demo

test: .venv/dev
	@sh tests/parts.sh
	$(BIN)/coverage run -m pytest $(addprefix --ignore=,$(UNTRACED))
	$(BIN)/coverage report --skip-covered
	$(BIN)/python -m pytest -q $(UNTRACED)

test-pythons: .venv/dev
	@sh tests/pythons.sh

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fmt: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: .venv/dev
	$(BIN)/python -m tests.generate

pictures: .venv/dev
	@sh tests/parts.sh
	$(BIN)/python -m docs.pictures

.venv/bench: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@touch $@

bench: .venv/bench
	$(BIN)/python -m tests.benchmarks

backtest: .venv/dev
	@sh tests/parts.sh
	$(BIN)/python -m tests.backtest
