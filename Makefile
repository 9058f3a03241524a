# Runyard's commands. `make up` and `make test` bring what this machine lacks (toolchain/); nothing needs to be first.
MANIFESTS ?= manifests/hello.yaml
STACK ?= dev
# A plan that `runyard review --save` wrote: `up` then refuses whatever moved since.
PLAN ?=
# Anything: `up` and `preview` ask Pulumi, whatever the record of the last update says; `down` takes away a stack whose
# state is lost.
FORCE ?=
# Anything: `down` takes a production stack away without asking.
YES ?=
BOOTSTRAP = toolchain/bootstrap
PYTHON = .venv/bin/python
# Those with code of ours, which needs the standard library alone; those in toolchain/ have Pulumi's sources below them.
GO_MODULES = $(patsubst %/,%,$(sort $(dir $(wildcard services/*/*.go services/*/*/*.go))))

# Two files at a time, each with stacks of its own: an update waits for Pulumi's start and for probes about half its time.
# In the order of tests/e2e/conftest.py, and not by how many tests a file has.
TWO_STACKS = -n 2 --dist loadfile --no-loadscope-reorder

# Those of the unit tests that need the engine: to collect all the others takes each process half a minute.
ENGINE_UNITS = $(shell grep -rlw --include 'test_*.py' 'mark\.engine' tests/unit)

# Container images set it to keep their layers small. Each process of the tests, and each program that these start, would
# compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

# What holds layers, sizes and lists of parts, of Python, Lua and Go alike: `lint` runs it, so the rest leaves it out.
HOUSE = tests/unit/test_architecture.py

# Anything: a test that failed is tried once more (.ci/run). No variable of pytest's own, which `runyard verify` has too.
AGAIN ?=
RERUNS = $(if $(AGAIN),--reruns 1)

# How long each target of `make fuzz` is tried, in seconds.
FUZZ_S ?= 60

.DEFAULT_GOAL = help

.PHONY: help up down preview verify lint check test audit fuzz foreign fidelity soak interleavings upgrade bench lock

help:
	@echo 'make up        run the manifests (MANIFESTS=$(MANIFESTS), STACK=$(STACK), PLAN, FORCE)'
	@echo 'make preview   show what up would change'
	@echo 'make verify    prove that what runs is what was asked for'
	@echo 'make down      take the stack away'
	@echo 'make check     formatting, lint, types and unit tests: quick, no engine'
	@echo 'make test      everything; foreign, fidelity, soak, interleavings, upgrade, bench: the long ones'
	@echo 'make audit     known weaknesses, ours and of what others wrote; fuzz: tries readers for FUZZ_S seconds each'
	@echo '.venv/bin/runyard --help has what looks at a running stack'

up:
	@$(BOOTSTRAP) up --stack $(STACK) --manifests $(MANIFESTS) $(if $(PLAN),--plan $(PLAN)) $(if $(FORCE),--force)

preview:
	@$(BOOTSTRAP) preview --stack $(STACK) --manifests $(MANIFESTS) $(if $(FORCE),--force)

down:
	@$(BOOTSTRAP) environment >/dev/null
	@.venv/bin/runyard down --stack $(STACK) $(if $(FORCE),--force) $(if $(YES),--yes)

verify:
	@$(BOOTSTRAP) run -- .venv/bin/runyard verify --stack $(STACK) $(MANIFESTS)

lint:
	@$(BOOTSTRAP) environment
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	@$(BOOTSTRAP) lint -- luacheck --quiet services/gateway/lua
	@for module in $(GO_MODULES); do $(BOOTSTRAP) lint -- go vet -C $$module ./... || exit 1; done
	$(PYTHON) -m pytest -q $(HOUSE)

# Formatting, lint, strict types and unit tests: no engine, no nginx.
check: lint
	$(PYTHON) -m pytest -n 2 -q -m "not engine and not slow" --ignore $(HOUSE) tests/unit tests/preview

# Everything: all tests that need no engine, with their coverage, then what needs it. What they start, nginx, Go and
# the engine, the toolchain brings; a test that is skipped fails (tests/harness/skips.py has the few that may be).
test: lint
	@$(BOOTSTRAP) tests -- $(PYTHON) -m pytest -n 2 -q $(RERUNS) -m "not engine" --ignore $(HOUSE) --cov --cov-report= tests/unit tests/preview
	$(PYTHON) -m tests.harness.floors
	@$(BOOTSTRAP) run -- .venv/bin/python -m pytest $(TWO_STACKS) -q $(RERUNS) -m "engine and not alone" tests/e2e $(ENGINE_UNITS)
	@$(BOOTSTRAP) run -- .venv/bin/python -m pytest -q $(RERUNS) -m alone tests/e2e

# Known weaknesses of our code (bandit) and of what others wrote (advisories of Go, Python and Debian). It ends well only
# when all of it was checked; what was not is told as NOT CHECKED, and is error 3.
audit:
	@$(BOOTSTRAP) run -- .venv/bin/python -m tests.audit --newest

# Coverage-guided fuzzing of what reads manifests, snapshots and messages; RUNYARD_SEED gives a printed seed back.
fuzz:
	@$(BOOTSTRAP) tests -- $(PYTHON) -m tests.fuzz --seconds $(FUZZ_S)

# Manifests that others wrote, in FOREIGN: how many are accepted, and how many of those answer with the sample in place of
# their images. COUNT is how many of them are tried, chosen by RUNYARD_SEED; 0 is all.
FOREIGN ?= tests/cases/manifest
COUNT ?= 0
foreign:
	@$(BOOTSTRAP) run -- .venv/bin/python -m tests.harness.foreign $(FOREIGN) $(COUNT)

# All mutations of the example manifests and a thousand transitions between sets of them, previewed and applied: about
# an hour on two cores of one's own. `test` takes a sample. RUNYARD_FIDELITY_STEPS says how many transitions,
# RUNYARD_FIDELITY_SEED which.
fidelity:
	@RUNYARD_FIDELITY=all $(BOOTSTRAP) run -- .venv/bin/python -m pytest -q tests/e2e/test_fidelity.py

# The leading orchestrator, killed every 30 s for five minutes under load.
soak:
	@RUNYARD_SOAK_S=300 $(BOOTSTRAP) run -- .venv/bin/python -m pytest -q -s tests/e2e/test_succession.py -k again_and_again

# A thousand interleavings of apply, scale, crash, rollback, kill and lease loss in a simulated engine, and twenty on the
# real one: some ten minutes each on two cores. `test` takes a sample. RUNYARD_SEED says which.
interleavings:
	@$(BOOTSTRAP) environment
	@RUNYARD_INTERLEAVINGS=1000 $(PYTHON) -m pytest -q tests/unit/services/orchestrator/test_interleavings.py
	@RUNYARD_LIVE_INTERLEAVINGS=20 $(BOOTSTRAP) run -- .venv/bin/python -m pytest -q tests/e2e/test_interleavings.py

# A stack that the Runyard of commit FROM brought up, taken to this one under load.
FROM ?= HEAD~20
upgrade:
	@$(BOOTSTRAP) run -- .venv/bin/python -m tests.harness.upgrade $(FROM)

bench:
	@$(BOOTSTRAP) benchmarks -- $(PYTHON) -m tests.bench

lock:
	@$(BOOTSTRAP) environment
	@$(BOOTSTRAP) lock
