# Each target does its own set-up: a virtual environment with locked, hashed versions.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := $(VENV)-release
PAGES  := $(VENV)-docs
PACKER := $(VENV)-plugin
# What builds the image, what it is called, and what it stands on.
BUILDER ?= $(or $(shell command -v buildah || command -v podman || command -v docker),buildah)
IMAGE   ?= doorward:latest
BASE    ?= python:3.13-slim
# Where the plugin's archive will be, for krew's manifest.
PLUGIN_ADDRESS ?= https://releases.example/doorward
# What test-kubernetes runs on: a version that has a folder in tests/testbed/go.
VERSION ?= 1.36.3
STAMP  := $(VENV)/.installed-$(shell cat requirements/dev.txt pyproject.toml | sha256sum | cut -c1-16)

.PHONY: help venv check unit test demo up env down bench crds chart docs attacks lock image test-image test-clients test-kubernetes plugin test-plugin sbom audit site

help:           ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

venv: $(STAMP)  ## the virtual environment

$(STAMP): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed-*
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@

check: $(STAMP) ## lint, types, layers
	$(BIN)/ruff check operator tests
	$(BIN)/ruff format --check operator tests
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP)  ## the pure tests
	$(BIN)/pytest tests/unit

crds: $(STAMP)  ## deploy/crds/ from the models
	$(BIN)/doorward crds --directory deploy/crds

chart: $(STAMP) ## the templates of charts/doorward that are made from deploy/
	$(BIN)/python -m tests.support.chart_templates

docs: $(STAMP)  ## docs/reference/ and docs/cli.md from the models, the reasons, the metrics and the tests; the table of docs/enforcement.md
	$(BIN)/doorward explain --markdown > docs/reference/reasons.md
	$(BIN)/python -m tests.support.promised > docs/reference/promises.md
	$(BIN)/python -m tests.support.metrics_page > docs/reference/metrics.md
	$(BIN)/python -m tests.support.events_page > docs/reference/events.md
	$(BIN)/python -m tests.support.monitoring
	$(BIN)/python -m tests.support.cli_page > docs/cli.md
	$(BIN)/python -m tests.support.kind_pages
	$(BIN)/python -m tests.gate.asked.table

$(PAGES): requirements/docs.txt
	@rm -rf $@ && $(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

site: $(PAGES)  ## build/site, the documentation as a web site; it fails for a link that leads nowhere
	NO_MKDOCS_2_WARNING=1 $(PAGES)/bin/python -m mkdocs build --strict

attacks: $(STAMP) ## docs/enforcement.md from attacks that are tried now
	DOORWARD_RECORD_ATTACKS=1 $(BIN)/pytest tests/gate/asked/test_attacks.py
	$(BIN)/python -m tests.gate.asked.table

lock:           ## requirements/*.txt from requirements/*.in
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip -q install uv
	for f in run dev build release docs plugin; do $(VENV)-lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-annotate requirements/$$f.in -o requirements/$$f.txt; done
	rm -rf $(VENV)-lock

demo: $(STAMP)  ## the main job, told on screen
	$(BIN)/python -m tests.demo

up: $(STAMP)    ## the same cluster with the operator, left running
	$(BIN)/python -m tests.up

env: $(STAMP)   ## what a shell needs to use it, for eval
	@$(BIN)/python -m tests.up env

down: $(STAMP)  ## end it
	$(BIN)/python -m tests.testbed down

test: $(STAMP) check ## every test
	$(BIN)/python -m tests

bench: $(STAMP) ## what it costs and how fast it cuts off
	$(BIN)/python -m tests.bench

image:          ## the container image, with buildah, podman or docker: IMAGE=name BASE=image
	$(BUILDER) build --build-arg BASE=$(BASE) --file Containerfile --tag $(IMAGE) .

test-kubernetes: $(STAMP) ## tests/cluster and some of tests/gate on another Kubernetes: VERSION=1.34.4
	$(BIN)/python -m tests.kubernetes $(VERSION)

$(PACKER): requirements/run.txt requirements/plugin.txt pyproject.toml
	@rm -rf $@ && $(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --require-hashes -r requirements/run.txt -r requirements/plugin.txt
	@touch $@

plugin: $(STAMP) $(PACKER) ## kubectl-doorward for krew: build/doorward-plugin-linux-amd64.tar.gz and build/doorward.yaml
	@rm -rf build/plugin build/lib build/bdist.* && mkdir -p build/plugin
	$(PACKER)/bin/python -m pip install --quiet --no-build-isolation --no-deps --force-reinstall .
	$(PACKER)/bin/python -m PyInstaller --noconfirm --clean --log-level WARN --name kubectl-doorward --distpath build/plugin \
	  --workpath build/plugin/work --specpath build/plugin --collect-submodules doorward --copy-metadata doorward \
	  operator/doorward/cli/main.py
	$(BIN)/python -m tests.support.krew build/plugin/kubectl-doorward build $(PLUGIN_ADDRESS)

test-plugin: $(STAMP) plugin ## unpack it in an empty folder, and run it where there is no Python
	$(BIN)/pytest tests/plugin

test-image: $(STAMP) sbom ## build the image without a container engine, and run it; as root, on Debian
	$(BIN)/pytest tests/image

test-clients: $(STAMP) ## programs and browsers with exported files; on Debian
	$(BIN)/pytest tests/clients

$(TOOLS): requirements/release.txt
	@rm -rf $@ && $(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --require-hashes -r requirements/release.txt
	@touch $@

sbom: $(TOOLS)  ## build/doorward.cdx.json, a CycloneDX list of what the operator runs with
	@mkdir -p build
	$(TOOLS)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file build/doorward.cdx.json \
	  requirements/run.txt

audit: $(TOOLS) ## known vulnerabilities of what the operator runs with; it fails where one cannot be looked up
	$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements/run.txt
