# Record Shop. `make help` tells what there is; everything it makes stays in this folder.

# The Python that .venv is made with: make PYTHON=python3.12 demo
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
FAILOVER := $(VENV)/.failover
PROTOS := $(wildcard protos/recordshop/*/v1/*.proto)
STUBS := recordshop/order/v1/order_pb2_grpc.py
UV := .tools/uv/bin/uv
UV_VERSION := 0.13.8
# For every Python and every machine that the shop runs on; what is pinned already stays.
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-header

# What the protos must stay compatible with; empty outside a git repository.
PUBLISHED := $(firstword $(foreach ref,main origin/main HEAD,$(shell git rev-parse --verify --quiet $(ref) 2>/dev/null)))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run audit audit-deps lock certs top ghz bench experiment chaos chaos-mutants failover test check lint format proto docs clean

help: ## Show this.
	@echo "Record Shop sells records, and never oversells."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo
	@echo "DEMO_SECONDS, DEMO_RATE and DEMO_CLIENTS change the demo; CATALOG_PORT, CUSTOMER_PORT and ORDER_PORT the run,"
	@echo "and CATALOG_METRICS_PORT and so on the ports of its metrics, which are any free ones else."
	@echo "BENCH_QUICK=1 measures the most important things, within three minutes."
	@echo "EXPERIMENT_QUICK=1 measures a part of the experiment, within five minutes."
	@echo "CHAOS_MINUTES=60 makes a long run of chaos, CHAOS_SEED repeats one."

demo: $(STUBS) ## Sell a disc out under load, storm another one, and audit every copy.
	@$(BIN)/python -m local_shop demo

run: $(STUBS) ## Run the shop in the foreground, with its data in .shop/, until Ctrl-C.
	@$(BIN)/python -m local_shop run

audit: $(STUBS) ## Audit the shop that `make run` runs.
	@$(BIN)/python -m local_shop audit

audit-deps: $(INSTALLED) ## Install the lock file by its hashes, write .shop/sbom.json, and look its packages up among the advisories.
	@$(BIN)/python -m supply

lock: $(UV) ## Write the lock files anew from what pyproject.toml and supply/auditor.in pin.
	$(UV) pip compile $(LOCK_OPTIONS) --extra migrate --extra otel --output-file requirements.lock pyproject.toml
	$(UV) pip compile $(LOCK_OPTIONS) --output-file supply/auditor.lock supply/auditor.in

certs: $(INSTALLED) ## Make a CA and certificates in .shop/certs/ to try TLS out with, or renew the certificates.
	@$(BIN)/python -m local_shop certs

top: $(STUBS) ## Watch the shop that `make run` runs: orders, groups, pools, stock, audit. TOP_ONCE=1 shows one frame.
	@$(BIN)/python -m local_shop top

ghz: $(STUBS) ## Load the shop that `make run` runs with ghz, then audit what was sold.
	@$(BIN)/python -m tests.load.run
	@$(BIN)/python -m local_shop audit

bench: $(STUBS) ## Measure the shop against its baselines, and draw docs/bench.svg.
	@$(BIN)/python -m benchmarks $(if $(filter-out 0,$(BENCH_QUICK)),,--picture docs/bench.svg)

experiment: $(STUBS) ## Measure every way of taking stock in every mode, audit each, and write docs/experiment.md.
	@$(BIN)/python -m benchmarks.experiment $(if $(filter-out 0,$(EXPERIMENT_QUICK)),,--docs docs)

chaos: $(STUBS) ## Break two replicas of everything under load for a minute, and check every answer.
	@$(BIN)/python -m tests.chaos run

chaos-mutants: $(STUBS) ## Break one rule of the protocol after the other, and see chaos find each.
	@$(BIN)/python -m tests.chaos mutants

failover: $(STUBS) $(FAILOVER) ## Kill, freeze and switch PostgreSQL nodes under Patroni while selling; nothing may be lost.
	@$(BIN)/python -m tests.failover

test: $(STUBS) ## Run all tests on real PostgreSQL and real gRPC.
	$(BIN)/python -m pytest

check: $(STUBS) ## Check format, lint, types, protos and their compatibility, and run all tests: what CI runs.
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(if $(PUBLISHED),$(BIN)/buf breaking --against '.git#ref=$(PUBLISHED)',@echo "No git here: the protos are not compared.")
	$(BIN)/python -m pytest

lint: $(STUBS) ## Check lint, types and protos.
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/buf lint

format: $(STUBS) ## Format Python and protos.
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix-only --quiet .
	$(BIN)/buf format --write

proto: $(INSTALLED) ## Build the Python stubs from the protos anew.
	$(BIN)/python protos/generate.py

docs: $(STUBS) ## Write the pages of docs/ anew that are made from the protos, the settings and the errors.
	@$(BIN)/python -m docs.generate

clean: ## Remove all that was built or installed; the data of `make run` in .shop/ stays.
	rm -rf $(VENV) .tools build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf recordshop/catalog recordshop/customer recordshop/order
	rm -rf clients/go/recordshop clients/typescript/node_modules clients/typescript/src/gen clients/typescript/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STUBS): $(PROTOS) protos/generate.py | $(INSTALLED)
	@$(BIN)/python protos/generate.py
	@touch $@

$(INSTALLED): pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Record Shop needs Python 3.11 or later: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "This Python cannot make virtual environments. On Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --editable '.[local,otel,dev]'
	@touch $@

# Only who changes a version pays for uv.
$(UV):
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore uv==$(UV_VERSION)

# Only who runs it pays for Patroni.
$(FAILOVER): $(INSTALLED)
	@echo "Installing Patroni into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --editable '.[local,otel,dev,failover]'
	@touch $@
