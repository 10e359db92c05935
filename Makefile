# The same targets serve people and CI. `make` alone lists them.
PYTHON ?= python3
PORT   ?= 8080
IMAGE  ?= funnel-gateway:0.1.0
VENV   := .venv
BIN    := $(VENV)/bin
UV     := UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never .uv/bin/uv
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --custom-compile-command "make lock"

TS     := tests/clients_ts
TS_BIN := $(TS)/node_modules/.bin

CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# What the guide for frontends is tried with.
DOCS_NEED := $(if $(and $(shell command -v node),$(shell command -v npm)),$(TS)/node_modules/.ready)

.DEFAULT_GOAL := help
.PHONY: help setup demo run check-alerts trace-ui trace-pictures sandbox test prove bench bench-profiles check format lint types imports \
	docs docs-check openapi openapi-check openapi-examples upstream-forms openapi-breaking openapi-lint clients-if-node \
	check-clients pages-if-chromium check-pages helm-schema helm-check image image-check lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# uv comes from PyPI, hash-pinned, into a folder of its own, so that `sync` can't remove it.
.uv/.ready: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

# What the gateway needs to run: all that `demo` and `run` wait for.
$(VENV)/.runtime: .uv/.ready requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@$(UV) pip install --quiet --python $(VENV) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(UV) pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	@touch $@

# The exact set for tests and checks; removes whatever else is in .venv.
$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@$(UV) pip sync --quiet --python $(VENV) --require-hashes requirements-dev.lock
	@$(UV) pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.dev ## Prepare .venv with everything, tests included

demo: $(VENV)/.runtime ## Start the gateway on the sandbox, walk the main jobs, keep serving (PORT=, DEMO_ONCE=1)
	@PORT=$(PORT) $(BIN)/python -m gateway.demo

run: $(VENV)/.runtime ## Serve with the configuration of the environment (PORT=)
	@$(BIN)/gateway serve --port $(PORT)

# What traces are looked at with: large, and needed by nobody else.
build/trace-ui/.ready: .uv/.ready requirements-trace-ui.lock
	@rm -rf build/trace-ui && mkdir -p build && $(PYTHON) -m venv --without-pip build/trace-ui/venv
	@$(UV) pip install --quiet --python build/trace-ui/venv --require-hashes -r requirements-trace-ui.lock
	@touch $@

# A real Prometheus, which is not installed on the machine itself.
build/prometheus/.ready:
	@rm -rf build/prometheus && mkdir -p build/prometheus
	@cd build/prometheus && { apt-get download -qq prometheus >/dev/null 2>&1 && dpkg -x prometheus_*.deb . && rm prometheus_*.deb; } \
		|| echo "check-alerts: no Debian package, so prometheus and promtool must be on the PATH"
	@touch $@

check-alerts: setup build/prometheus/.ready ## Have Prometheus itself judge the alerts and the dashboard
	@$(BIN)/python -m pytest tests/gateway/metrics/test_watching.py $(ARGS)

trace-ui: setup build/trace-ui/.ready ## Walk the demo and show its traces on a page (TRACE_UI_PORT=, DEMO_ONCE=1)
	@PORT=$(PORT) $(BIN)/python -m tests.support.trace_ui

trace-pictures: setup ## Draw the traces of the README anew, from a run on the sandbox
	@$(BIN)/python -m tests.support.trace_pictures

sandbox: $(VENV)/.runtime ## Run the emulator of both vendors alone
	@$(BIN)/gateway sandbox

# All of it runs on every core; what ARGS name by a path or a word runs in one process, which is there sooner.
WORKERS ?= $(if $(filter tests% -k%,$(ARGS)),0,logical)

# Dozens of processes are started, each of which would compile what it imports if nothing was kept.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup ## Run the whole test suite, or some of it (ARGS="tests/routes -k refund", WORKERS=)
	@$(BIN)/python -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 --dist=worksteal $(ARGS)

prove: setup ## Measure what is promised when vendors fail; minutes, best on an idle machine
	@$(BIN)/python -m bench.prove

BENCH_PATH = $(CURDIR)/build/bench/venv/bin:$(CURDIR)/build/bench/debian/usr/bin:$(CURDIR)/build/bench/debian/usr/sbin:$(PATH)
BENCH_LIBRARIES = $(wildcard $(CURDIR)/build/bench/debian/usr/lib/*-linux-gnu)

bench: setup build/bench/.ready ## Measure us beside others; about 7 minutes (QUICK=1: two), best on an idle machine
	@build/bench/gateway/bin/python -m compileall -q gateway routes clients
	@PATH="$(BENCH_PATH)" LD_LIBRARY_PATH="$(BENCH_LIBRARIES)" $(BIN)/python -m bench.compare

# The peers, none of which is installed on the machine itself. One that can't be had is left out, and `bench` says so.
build/bench/.ready: .uv/.ready requirements.lock requirements-bench.lock bench/compare/peers/package-lock.json
	@rm -rf build/bench && mkdir -p build/bench/debian && $(PYTHON) -m venv --without-pip build/bench/venv
	@$(UV) pip install --quiet --python build/bench/venv --require-hashes -r requirements-bench.lock
	@$(PYTHON) -m venv --without-pip build/bench/gateway
	@$(UV) pip install --quiet --compile-bytecode --python build/bench/gateway --require-hashes -r requirements.lock -r requirements-build.lock
	@$(UV) pip install --quiet --python build/bench/gateway --no-deps --no-build-isolation --editable .
	@cd bench/compare/peers && npm ci --silent || echo "bench: no npm, so fast-gateway and @fastify/http-proxy are left out"
	@cd build/bench/debian && apt-get download -qq nginx wrk libluajit-5.1-2 >/dev/null 2>&1 \
		&& for package in *.deb; do dpkg -x $$package .; done || echo "bench: no Debian packages, so nginx and wrk must be on the PATH"
	@touch $@

bench-profiles: setup build/bench/.ready ## Draw flame graphs of a hit and a miss
	@PATH="$(BENCH_PATH)" LD_LIBRARY_PATH="$(BENCH_LIBRARIES)" $(BIN)/python -m bench.compare.profiles

check: setup lint types imports openapi-check openapi-breaking $(DOCS_NEED) test clients-if-node pages-if-chromium ## Everything CI checks

format: setup ## Rewrite the code in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports --no-cache

docs: setup ## Write docs/operations.md, the tables of the README and the dashboard from the code
	@$(BIN)/python -m tests.support.operations_page > docs/operations.md.new && mv docs/operations.md.new docs/operations.md
	@$(BIN)/python -m tests.support.tables
	@$(BIN)/python -m tests.support.dashboard > docs/grafana/dashboard.json.new && mv docs/grafana/dashboard.json.new docs/grafana/dashboard.json

docs-check: setup $(DOCS_NEED) ## Try every command and snippet of the README and the guides (TypeScript too, where Node is)
	@$(BIN)/python -m tests.support.snippets
	@$(BIN)/python -m pytest tests/docs $(ARGS)

openapi: setup ## Write openapi/gateway.json from the code
	@$(BIN)/gateway openapi > openapi/gateway.json.new && mv openapi/gateway.json.new openapi/gateway.json

openapi-check: setup
	@$(BIN)/gateway openapi | diff -u openapi/gateway.json - \
		|| { echo "openapi/gateway.json is out of date: run 'make openapi' and commit it" >&2; exit 1; }

openapi-examples: setup ## Write the document's examples anew, from a walk on the sandbox
	@$(BIN)/python -m tests.support.examples > gateway/openapi/examples.json.new
	@mv gateway/openapi/examples.json.new gateway/openapi/examples.json

upstream-forms: setup ## Write what answers are compared with, from the vendors' documents
	@$(BIN)/python -m tests.support.upstream_forms > clients/drift/vendors.json.new
	@mv clients/drift/vendors.json.new clients/drift/vendors.json

# Against what callers have: the newest release, or else the last commit.
openapi-breaking: setup ## Fail on changes of the document that break callers (BREAKING=ok: they are meant)
	@mkdir -p build
	@since=$$(git describe --tags --abbrev=0 2>/dev/null || echo HEAD); \
	if ! git show "$$since:openapi/gateway.json" > build/gateway-before.json 2>/dev/null; then \
		echo "openapi-breaking: skipped, there is no document before this one"; \
	elif ! $(BIN)/python -m tests.support.breaking build/gateway-before.json openapi/gateway.json; then \
		echo "These changes break callers of $$since; if they are meant, say so in the changelog and set BREAKING=ok" >&2; \
		test "$(BREAKING)" = ok; \
	fi

openapi-lint: $(TS)/node_modules/.ready ## Judge the document strictly (needs Node)
	@REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		$(TS_BIN)/redocly lint --config openapi/redocly.yaml openapi/gateway.json

$(TS)/node_modules/.ready: $(TS)/package.json $(TS)/package-lock.json
	@cd $(TS) && npm ci --silent
	@touch $@

build/delivery/.ready: .uv/.ready requirements-delivery.lock
	@rm -rf build/delivery && $(PYTHON) -m venv --without-pip build/delivery/venv
	@$(UV) pip install --quiet --python build/delivery/venv --require-hashes -r requirements-delivery.lock
	@touch $@

helm-schema: setup ## Write the settings' names into helm/values.schema.json, and copy what the chart installs
	@$(BIN)/python -m tests.support.chart_settings

helm-check: setup build/delivery/.ready ## Lint, render and validate the chart, and lint the Dockerfile
	@build/delivery/venv/bin/hadolint Dockerfile
	@build/delivery/venv/bin/python -m pytest --quiet -p no:cacheprovider helm/tests

image: ## Build the image with docker, podman or buildah (IMAGE=)
	@for engine in docker podman buildah; do if command -v $$engine >/dev/null; then \
		echo "$$engine builds $(IMAGE)"; \
		case $$engine in docker) format=;; *) format="--format docker";; esac; \
		exec $$engine build $$format --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE) .; \
	fi; done; echo "image: docker, podman or buildah is needed" >&2; exit 1

image-check: setup ## Build the image and try it; without buildah, mmdebstrap and root, do its steps in a folder
	@$(BIN)/python -m tests.support.image

build/clients/.ready: .uv/.ready requirements-clients.lock
	@rm -rf build/clients && $(PYTHON) -m venv --without-pip build/clients/venv
	@$(UV) pip install --quiet --python build/clients/venv --require-hashes -r requirements-clients.lock
	@touch $@

check-clients: setup openapi-lint build/clients/.ready ## Lint the document and prove typed clients from it (needs Node)
	@$(TS_BIN)/openapi-typescript openapi/gateway.json --default-non-nullable=false -o $(TS)/build/gateway.d.ts
	@$(TS_BIN)/tsc --project $(TS)
	@build/clients/venv/bin/openapi-python-client generate --path openapi/gateway.json --meta none \
		--config tests/clients_py/config.yaml --output-path build/clients/gateway_client --overwrite --fail-on-warning
	@$(BIN)/mypy --config-file tests/clients_py/mypy.ini tests/clients_py/checkout.py
	@TYPED_CLIENTS=1 $(BIN)/python -m pytest tests/contract/test_typed_clients.py

clients-if-node:
	@if command -v node >/dev/null && command -v npm >/dev/null; then $(MAKE) --no-print-directory check-clients; \
	else echo "check-clients: SKIPPED, since node is not installed; the document is not linted, no client is proven"; fi

# Beside .venv, not in it: what drives a browser is large, and nothing else needs it.
build/pages/.ready: .uv/.ready requirements-pages.lock
	@rm -rf build/pages
	@$(UV) pip install --quiet --python $(VENV) --target build/pages --require-hashes -r requirements-pages.lock
	@touch $@

check-pages: setup build/pages/.ready ## Look at the pages in a headless Chromium (CHROMIUM= names it)
	@CHROMIUM="$(CHROMIUM)" PYTHONPATH=build/pages $(BIN)/python -m pytest tests/pages $(ARGS)

pages-if-chromium:
	@if test -n "$(CHROMIUM)"; then $(MAKE) --no-print-directory check-pages; \
	else echo "check-pages: SKIPPED, since no Chromium is installed; nobody has looked at the pages as a browser does"; fi

lock: .uv/.ready ## Resolve the dependencies anew and pin them with hashes
	@echo "uv>=0.9" | $(COMPILE) --upgrade - -o requirements-uv.lock
	@$(COMPILE) --upgrade pyproject.toml -o requirements.lock
	@$(COMPILE) --upgrade --group build -c requirements.lock -o requirements-build.lock
	@$(COMPILE) --upgrade --group clients -o requirements-clients.lock
	@$(COMPILE) --upgrade --group delivery -o requirements-delivery.lock
	@$(COMPILE) --upgrade --group bench -o requirements-bench.lock
	@$(COMPILE) --upgrade --group trace-ui -o requirements-trace-ui.lock
	@$(COMPILE) --upgrade pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	@$(COMPILE) --upgrade --group pages -c requirements-dev.lock -o requirements-pages.lock

clean: ## Remove what the targets made
	@rm -rf $(VENV) .uv build $(TS)/node_modules $(TS)/build bench/compare/peers/node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
