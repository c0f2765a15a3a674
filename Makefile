# Nurie. `make help` lists what can be asked for.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
STAGES := cgan s2p inknhue metrics
NURIE_ACCELERATOR ?= cpu
# The accelerator is part of the mark, so that choosing another one installs anew.
STAGE_ENVIRONMENTS := $(STAGES:%=.venvs/%/.ready-$(NURIE_ACCELERATOR))

# uv installs into every environment; pip's settings hold for it too.
UV := .venvs/uv/bin/uv
# An empty variable is an empty address to uv: only what is set is passed on.
define pass_on
ifneq ($(PIP_$(1)),)
export UV_$(1) ?= $(PIP_$(1))
endif
endef
$(foreach name,FIND_LINKS INDEX_URL EXTRA_INDEX_URL,$(eval $(call pass_on,$(name))))
ifneq ($(PIP_EXTRA_INDEX_URL),)
# As pip does it: the best version of all indexes, not the first index that knows the package.
export UV_INDEX_STRATEGY ?= unsafe-best-match
endif
export PYTHONUNBUFFERED := 1

# Where known vulnerabilities are asked for, if not at osv.dev: OSV="--osv-url https://mirror.example.org/v1/query"
OSV ?=

.PHONY: help setup setup-tests demo serve test chaos lint bench capacity bench-house bench-scaling bench-cgan bench-s2p bench-inknhue bench-metrics train-s2p train-inknhue clean requirements licences sbom audit bench-engine bench-api bench-page bench-client fuzz

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready $(STAGE_ENVIRONMENTS) ## Make all environments (does nothing where they are up to date)

demo: setup ## Colour the sample chapter, or PAGES=folder REFERENCE=file; results in out/demo
	@.venv/bin/python -m embedded.demo $(if $(PAGES),--pages "$(PAGES)") $(if $(REFERENCE),--reference "$(REFERENCE)")

serve: setup ## Run everything until Ctrl-C, on http://127.0.0.1:8000
	@.venv/bin/python -m embedded.serve

test: setup setup-tests ## Run all tests, each in its environment
	@tests/run

chaos: setup setup-tests ## Break the house while a chapter is under way; SEED= ROUNDS= FAULT=, table in out/chaos
	@.venv/bin/python -m tests.chaos $(if $(SEED),--seed "$(SEED)") $(if $(ROUNDS),--rounds "$(ROUNDS)") $(if $(FAULT),--fault "$(FAULT)")

fuzz: .venvs/fuzz/.ready-cpu ## Feed hostile archives and pictures to their readers; MINUTES=15, findings in out/fuzz
	@.venvs/fuzz/bin/python -m tests.fuzz $(if $(MINUTES),--minutes "$(MINUTES)")

lint: setup ## Check style, types, who may import whom, and known vulnerabilities where they can be asked for
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/hadolint docker/Dockerfile
	@if .venv/bin/python -m supply.service $(OSV); then $(MAKE) --no-print-directory audit OSV="$(OSV) --forgiving"; else [ $$? -eq 3 ]; fi

bench: setup setup-tests ## Measure every room in short form, ROOMS="cgan api" some; table in bench/results/latest.md
	@.venv/bin/python -m bench $(ROOMS)

capacity: setup ## What a page costs here, and the workers for RATE=pages/hour; CHAPTER= EPOCHS= PAGES=folder FULL=1
	@.venv/bin/python -m bench.capacity $(if $(RATE),--rate $(RATE)) $(if $(CHAPTER),--chapter $(CHAPTER)) \
	  $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(PAGES),--pages "$(PAGES)") $(if $(FULL),--full)

bench-house: setup ## Measure the whole house: shell, workers, submissions; figures in out/bench-house
	@.venv/bin/python -m bench.house

bench-cgan: setup ## Measure the cGAN room, with PAGES=folder on real pages too; figures and sheets in out/bench-cgan
	@.venvs/cgan/bin/python -m bench.cgan $(if $(PAGES),--pages "$(PAGES)") $(if $(ORIGINAL),--original)

bench-s2p: setup ## Measure the Style2Paints room, with PAGES=folder on real pages too; figures in out/bench-s2p
	@.venvs/s2p/bin/python -m bench.s2p $(if $(PAGES),--pages "$(PAGES)")

train-s2p: setup ## Train the embedded painter on drawn pages and those of PAGES=folder; 40 minutes on 2 cores
	@.venvs/s2p/bin/python -m workers.s2p.training --out out/s2p-training $(if $(PAGES),--pages "$(PAGES)") $(if $(STEPS),--steps $(STEPS))

bench-inknhue: setup ## Measure the inkn'hue room, with PAGES=folder on real pages too; figures in out/bench-inknhue
	@.venvs/inknhue/bin/python -m bench.inknhue $(if $(PAGES),--pages "$(PAGES)")

bench-engine: setup ## Measure the engine: fairness, overhead, throughput; figures and logs in out/bench-engine
	@.venv/bin/python -m bench.engine

bench-api: setup ## Measure the door: polling, load, slow clients, 2 GB archives; figures and logs in out/bench-api
	@.venv/bin/python -m bench.api

bench-page: setup setup-tests ## Measure the web page in Chromium: first load, slider, grid; figures in out/bench-page
	@.venvs/page/bin/python -m bench.page

bench-client: setup setup-tests ## Measure the command nurie: breaks, memory for 2 GB; figures in out/bench-client
	@.venv/bin/python -m bench.client

bench-scaling: setup setup-tests ## Count what a page asks of database, storage and Redis; figures in out/bench-scaling
	@.venv/bin/python -m bench.scaling

bench-metrics: setup ## Measure the metrics room; figures in out/bench-metrics
	@.venvs/metrics/bin/python -m bench.metrics

train-inknhue: setup ## Train the embedded autoencoder on drawn pages and those of PAGES=folder; an hour on 2 cores
	@.venvs/inknhue/bin/python -m workers.inknhue.training --out out/inknhue-training $(if $(PAGES),--pages "$(PAGES)") $(if $(STEPS),--steps $(STEPS))

clean: ## Delete environments, data, results and caches
	rm -rf .venv .venvs var out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

requirements: | $(UV) ## Pin requirements/*.in anew; pins stay as they are, but UPGRADE=1 or UPGRADE=package
	@.venvs/uv/bin/python -m supply.requirements --upgrade "$(UPGRADE)"

licences: setup setup-tests .venvs/supply/.ready-cpu .venvs/fuzz/.ready-cpu ## Write docs/licences.md from what is installed
	@.venvs/supply/bin/python -m supply.licences

sbom: setup .venvs/client/.ready-cpu .venvs/supply/.ready-cpu ## Write a bill of materials (CycloneDX 1.6) for each environment to out/sbom
	@.venvs/supply/bin/python -m supply.sbom

audit: .venvs/supply/.ready-cpu ## Look for known vulnerabilities of all that is pinned; fails where it cannot be asked for
	@.venvs/supply/bin/python -m supply.audit $(OSV)

setup-tests: .venvs/s3test/.ready-cpu .venvs/contract/.ready-cpu .venvs/kubernetes/.ready-cpu .venvs/page/.ready-cpu .venvs/client/.ready-cpu .venvs/supply/.ready-cpu
	@tests/install_postgresql
	@tests/install_prometheus
	@tests/install_browser

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Nurie needs Python 3.11: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venvs/uv
	@.venvs/uv/bin/pip install -q --disable-pip-version-check -r requirements/uv.txt

# --exact removes what is not listed; what a wheel needs beyond the list (torch's CUDA build: its libraries) comes along.
.venv/.ready: requirements/api.txt client/pyproject.toml | $(UV)
	@echo "environment .venv"
	@$(UV) venv -q --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install -q --exact --python .venv/bin/python -r requirements/api.txt
	@touch $@

# A stage's list is that of its image, which has no tests.
TESTS = $(if $(filter $*,$(STAGES)),-r requirements/test.txt)

.venvs/%/.ready-cpu: requirements/%.txt requirements/test.txt | $(UV)
	@echo "environment .venvs/$*"
	@$(UV) venv -q --allow-existing --python $(PYTHON) .venvs/$*
	@$(UV) pip install -q --exact --python .venvs/$*/bin/python -r requirements/$*.txt $(TESTS) --override requirements/overrides.txt
	@rm -f .venvs/$*/.ready-*
	@touch $@

# As teams install it, not as it lies here: what is missing of the package is missing in its tests.
.venvs/client/.ready-cpu: requirements/client.txt client/pyproject.toml client/README.md $(shell find client/nurie_client -name '*.py') | $(UV)
	@echo "environment .venvs/client"
	@$(UV) venv -q --allow-existing --python $(PYTHON) .venvs/client
	@$(UV) pip install -q --exact --python .venvs/client/bin/python --reinstall-package nurie-client --refresh-package nurie-client -r requirements/client.txt
	@touch $@

# A GPU build: TensorFlow with CUDA, and the torch wheel of the index in place of a local CPU one.
.venvs/%/.ready-cu: requirements/%.txt requirements/test.txt requirements/gpu.txt | $(UV)
	@echo "environment .venvs/$*, with CUDA"
	@$(UV) venv -q --allow-existing --python $(PYTHON) .venvs/$*
	@sed -E 's/^tensorflow-cpu==(.*)/tensorflow[and-cuda]==\1/' requirements/$*.txt > .venvs/$*/requirements.txt
	@UV_FIND_LINKS= $(UV) pip install -q --exact --reinstall-package torch --python .venvs/$*/bin/python -r .venvs/$*/requirements.txt $(TESTS) -r requirements/gpu.txt
	@rm -f .venvs/$*/.ready-*
	@touch $@
