# Everything runs in .venv, which the first target that needs it makes.
# PYTHON chooses the interpreter: make test PYTHON=python3.13
PYTHON ?= python3
BIN := .venv/bin
# Without a tracer: faults that set one of their own, a thousand programs that are judged by counting references,
# which it makes ten times as slow, and forks among running threads, whose children may inherit a lock of the tracer's.
UNTRACED := tests/chaos tests/attach/test_fork.py tests/corpus tests/judge/test_corpus.py
.DEFAULT_GOAL := help
.PHONY: help chaos demo test test-pythons test-container lock check fmt generate pictures bench backtest bench-dashboards dashboard-pictures

help:
	@echo 'make demo      run the leaking promo service with the exporter, and Prometheus if there is one'
	@echo 'make test      run all tests'
	@echo 'make test-pythons  run them on every other Python from 3.11 to 3.14 that is here'
	@echo 'make test-container  build the image and run it, on Debian as root'
	@echo 'make check     lint, format check, types'
	@echo 'make fmt       format the code'
	@echo 'make generate  rewrite the generated parts of the documentation'
	@echo 'make pictures  take the pictures of the debug page again, with Chromium'
	@echo 'make lock      choose the versions in the image anew'
	@echo 'make bench     measure what lowtide costs'
	@echo 'make chaos     meet every fault that lowtide must survive, at full size'
	@echo 'make backtest  judge the alert rules on simulated services with fresh seeds, in a real Prometheus'
	@echo 'make bench-dashboards    time each query of the dashboards on a thousand instances over a day'
	@echo 'make dashboard-pictures  draw docs/dashboard-*.png with the UI components of Grafana (needs npm and Chromium)'

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
	$(BIN)/coverage run -m pytest $(addprefix --ignore=,$(UNTRACED) tests/container)
	$(BIN)/coverage report --skip-covered
	$(BIN)/python -m pytest -q $(UNTRACED)

test-pythons: .venv/dev
	@sh tests/pythons.sh

test-container: .venv/dev
	@sh tests/container/parts.sh
	$(BIN)/python -m pytest -q tests/container

# Every platform and every Python that lowtide runs on; without an address in it, so that any registry will do.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock'

lock: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.8'
	$(LOCK) pyproject.toml --extra web --output-file deploy/lock/image.txt
	printf '%s\n' hatchling | $(LOCK) - --output-file deploy/lock/build.txt

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

bench-dashboards: .venv/dev
	$(BIN)/python -m tests.dashboards.cost

.venv/pictures: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,pictures]'
	@touch $@

dashboard-pictures: .venv/pictures
	$(BIN)/python -m docs.dashboards

chaos: .venv/dev
	$(BIN)/python -m tests.chaos
