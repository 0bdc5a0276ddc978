# The two commands of a newcomer are `make demo` and `make test`; `make` alone lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The interpreter that makes .venv (3.11 or newer). The distribution's own goes first: it is built with profile-guided optimisation, which those that
# pyenv builds lack, and Ansible takes a fifth less time by it.
# It is looked for once, by the targets that set up.
ifndef PYTHON3
PYTHON3 = $(eval PYTHON3 := $$(shell /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3))$(PYTHON3)
endif
# The name of the lab that the lab targets and the tests use, where it is not the usual one; several live side by side.
LAB ?=
# What the lab is for: demo leaves out what only tests need.
FOR ?= tests
# CLUSTER=own, on the command line alone: demo and e2e in the cluster of KUBECONFIG instead of a lab. CONTRIBUTING.md says what else has to be set.
CLUSTER := lab
# What pytest is given by the test targets, for example ARGS='-k steps -x'.
ARGS ?=

VENV := $(CURDIR)/.venv
PYTHON := $(VENV)/bin/python
PREPARE = $(PYTHON3) tests/toolchain/prepare.py

# Every recipe but set-up finds our tools and collections first, and nothing installed elsewhere in front of them.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build/tree
IN_VENV := PATH="$(VENV)/bin:$$PATH"
LAB_TOOL = $(IN_VENV) python3 tests/lab/lab.py $(1) $(if $(LAB),--name "$(LAB)")
STAGE := $(IN_VENV) $(PYTHON) tests/toolchain/stages.py $(if $(LAB),--lab "$(LAB)") --cluster "$(CLUSTER)"

.PHONY: help setup setup-runtime demo demo-down test \
  test-unit test-lint test-types test-sanity test-integration test-e2e test-docs mutants chaos conformance \
  lab-build lab-up lab-down lab-status lab-shell lab-env bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-18s %s\n", $$1, $$2} /^##@ /{printf "\n%s\n", substr($$0, 5)}' $(firstword $(MAKEFILE_LIST))

##@ First steps
demo:  ## a good and a bad release of a real app, live, on a cluster of its own (ARGS=--verbose shows all that Ansible prints)
	@$(MAKE) --jobs=2 FOR=demo setup-runtime $(if $(filter lab,$(CLUSTER)),lab-build)
	@$(IN_VENV) $(PYTHON) tests/demo/demo.py --cluster "$(CLUSTER)" $(ARGS)

demo-down:  ## remove all that the demo made
	@$(IN_VENV) python3 tests/demo/demo.py --cluster "$(CLUSTER)" --down

test: setup  ## everything that CI runs
	@$(STAGE) all

##@ Set-up
setup:  ## virtual environment, kubernetes.core and the collection tree
	@$(PREPARE) tests

setup-runtime:
	@$(PREPARE) runtime

clean:  ## remove what was built here (the caches outside the checkout stay)
	@rm -rf .venv .build .ansible .mypy_cache .pytest_cache .hypothesis tests/output
	@find plugins tests -name __pycache__ -prune -exec rm -rf {} +

##@ Tests, one stage at a time (ARGS='...' goes to pytest)
test-lint: setup  ## yamllint and ansible-lint
	@$(STAGE) yamllint ansible-lint

test-types: setup  ## mypy over the plugins
	@cd .build/tree && $(IN_VENV) mypy --config-file "$(CURDIR)/pyproject.toml" -p ansible_collections.progressive.delivery.plugins

test-sanity: setup  ## ansible-test sanity
	@$(STAGE) sanity

test-unit: setup  ## unit tests in the checkout, by plain pytest, in seconds (make test runs the exhaustive ones too)
	@$(IN_VENV) $(PYTHON) -m pytest --numprocesses 2 -m 'not exhaustive' $(ARGS)

test-integration: setup  ## ansible-test integration against the lab
	@$(STAGE) integration

test-e2e: setup  ## whole releases in the lab (CLUSTER=own: in a cluster of yours)
	@$(STAGE) e2e -- $(ARGS)

chaos: setup  ## every kill, fault, late write and random walk there is, in the lab (four to five hours of two cores; make test tries a part)
	@$(STAGE) --workers 4 chaos -- --full $(ARGS)

conformance: setup  ## every document walked by Flagger's own controller and by us, in the lab, and compared (twenty minutes and more; make test walks a part)
	@$(STAGE) conformance -- --full $(ARGS)

test-docs: setup  ## module documentation and changelog fragments
	@$(STAGE) docs

mutants: setup  ## switch each rule of docs/safety.md off and see its test fail (ARGS='07 12_b' chooses)
	@$(IN_VENV) $(PYTHON) tests/mutants/mutants.py $(if $(LAB),--lab "$(LAB)") $(ARGS)

bench: setup  ## every budget of the design, measured in the lab (ARGS=--quick leaves out what takes minutes)
	@$(IN_VENV) $(PYTHON) tests/bench/bench.py $(if $(LAB),--lab "$(LAB)") $(ARGS)

##@ The lab: a real one-node Kubernetes (LAB=name, FOR=demo|tests)
lab-build:  ## build its binaries (cached outside the checkout)
	@$(call LAB_TOOL,build) --for "$(FOR)"

lab-up: setup-runtime  ## start it
	@$(call LAB_TOOL,up) --for "$(FOR)"

lab-down:  ## stop it and remove what it made
	@$(call LAB_TOOL,down)

lab-status:  ## what runs, and where
	@$(call LAB_TOOL,status)

lab-shell:  ## a shell inside its network
	@$(call LAB_TOOL,shell)

lab-env:  ## shell exports for scripts: eval "$(make -s lab-env)"
	@$(call LAB_TOOL,env)
