# Everything a developer does starts here: `make help` lists it.
PYTHON ?= .venv/bin/python
SYSTEM_PYTHON ?= python3
UV := .venv/bin/uv
MODEL_SERVICES := content hybrid user-model neural
SERVICES := $(MODEL_SERVICES) gateway trainer
DISTRIBUTIONS := libs/common $(SERVICES:%=services/%) clients/python deploy/local tests/support
PACKAGES := libs services clients tests deploy docs
LOCAL := -e libs/common $(SERVICES:%=-e services/%)
# For development alone: what runs the system on one machine, and what tests share.
DEVELOPMENT := -e clients/python -e deploy/local -e tests/support
LOCAL_NAMES := client common content hybrid neural user-model local testing
COMPILE := $(UV) pip compile -q --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(LOCAL_NAMES:%=--no-emit-package marquee-%)
EXTRA_INDEX ?=
DIST ?= $(CURDIR)/dist

export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: causes clients node-tools npm-package help install install-trainer install-pipeline lock format check docs test coverage kafka-jars demo bench bench-events bench-train bench-rolling bench-overload bench-access bench-following bench-pairs bench-lists chaos soak fuzz evaluate mutations redis-users audit audit-offline licences repro train clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: .venv/READY ## .venv: serving, tools and tests

install-trainer: .venv-trainer/READY ## .venv-trainer: the same with torch and MLflow (6.5 GB of disk)

.venv/bin/uv: requirements-bootstrap.txt
	@$(SYSTEM_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Marquee needs Python 3.11 or newer (set SYSTEM_PYTHON)" >&2; exit 2; }
	$(SYSTEM_PYTHON) -m venv .venv
	.venv/bin/python -m pip install -q --require-hashes -r requirements-bootstrap.txt
	@touch $@

.venv/READY: .venv/bin/uv requirements-dev.txt libs/common/pyproject.toml clients/python/pyproject.toml deploy/local/pyproject.toml tests/support/pyproject.toml $(wildcard services/*/pyproject.toml)
	$(UV) pip install -q -p .venv --require-hashes --compile-bytecode -r requirements-dev.txt
	$(UV) pip install -q -p .venv --no-deps --no-build-isolation $(LOCAL) $(DEVELOPMENT)
	@touch $@

.venv-trainer/READY: .venv/READY requirements-trainer.txt
	test -x .venv-trainer/bin/python || $(SYSTEM_PYTHON) -m venv --without-pip .venv-trainer
	$(UV) pip install -q -p .venv-trainer --require-hashes --compile-bytecode $(EXTRA_INDEX) -r requirements-trainer.txt
	$(UV) pip install -q -p .venv-trainer --no-deps --no-build-isolation $(LOCAL) $(DEVELOPMENT)
	@touch $@

.venv-docs/READY: .venv/READY requirements-docs.txt
	test -x .venv-docs/bin/python || $(SYSTEM_PYTHON) -m venv --without-pip .venv-docs
	$(UV) pip install -q -p .venv-docs --require-hashes --compile-bytecode -r requirements-docs.txt
	$(UV) pip install -q -p .venv-docs --no-deps --no-build-isolation $(LOCAL)
	@touch $@

.venv-pipeline/READY .venv-airflow/READY .venv-fuzz/READY .venv-audit/READY: .venv-%/READY: .venv/bin/uv requirements-%.txt
	test -x .venv-$*/bin/python || $(SYSTEM_PYTHON) -m venv --without-pip .venv-$*
	$(UV) pip install -q -p .venv-$* --require-hashes --compile-bytecode -r requirements-$*.txt
	@touch $@

install-pipeline: .venv-pipeline/READY .venv-airflow/READY ## DVC and Airflow, an environment each

lock: .venv/bin/uv ## resolve the requirements files anew (UPGRADE=-U for newer versions)
	$(COMPILE) $(UPGRADE) libs/common/pyproject.toml $(SERVICES:%=services/%/pyproject.toml) \
		clients/python/pyproject.toml requirements-dev.in -o requirements-dev.txt
	$(COMPILE) requirements-bootstrap.in -c requirements-dev.txt -o requirements-bootstrap.txt
	$(COMPILE) $(UPGRADE) --extra neural services/trainer/pyproject.toml \
		services/gateway/pyproject.toml requirements-dev.in -c requirements-dev.txt \
		-o requirements-trainer.txt
	$(COMPILE) $(MODEL_SERVICES:%=services/%/pyproject.toml) -c requirements-dev.txt -o requirements-model.txt
	$(COMPILE) services/gateway/pyproject.toml -c requirements-dev.txt -o services/gateway/requirements.txt
	$(COMPILE) services/trainer/pyproject.toml services/gateway/pyproject.toml requirements-docs.in \
		-c requirements-dev.txt -o requirements-docs.txt
	for d in libs/common clients/python deploy/local; do $(COMPILE) $$d/pyproject.toml -c requirements-dev.txt \
		-o $$d/requirements.txt || exit; done
	for e in pipeline airflow fuzz audit; do $(COMPILE) $(UPGRADE) requirements-$$e.in \
		-o requirements-$$e.txt || exit; done
	$(COMPILE) --extra neural services/trainer/pyproject.toml -c requirements-trainer.txt \
		-o services/trainer/requirements.txt

format: .venv/READY ## format the code and mend what ruff can mend
	.venv/bin/ruff check --fix -q $(PACKAGES)
	.venv/bin/ruff format -q $(PACKAGES)

check: .venv/READY ## formatting, lint, spelling, import contracts, declared dependencies, types
	.venv/bin/ruff format --check -q $(PACKAGES)
	.venv/bin/ruff check -q $(PACKAGES)
	.venv/bin/codespell
	PYTHONWARNINGS=ignore .venv/bin/lint-imports --no-logo
	@for d in $(DISTRIBUTIONS); do (cd $$d && $(CURDIR)/.venv/bin/deptry -v .) >/dev/null 2>&1 \
		|| { (cd $$d && $(CURDIR)/.venv/bin/deptry .); exit 1; }; done; echo "deptry: all imports are declared"
	.venv/bin/mypy $(PACKAGES)

redis-users: .venv/READY ## write the ACL files of deploy/redis and the page about them from the rights in the code
	.venv/bin/python -m marquee_testing.forbidden_calls

docs: .venv-docs/READY ## build the documentation into site/, strictly
	NO_MKDOCS_2_WARNING=1 PYTHONWARNINGS=ignore .venv-docs/bin/mkdocs build --strict --quiet

clients: .venv/READY node-tools ## make the client libraries from the OpenAPI document; in dist/ the wheel, the npm package, <marquee-list>
	.venv/bin/python -m marquee_testing.clients
	cd clients/python && $(CURDIR)/.venv/bin/hatchling build -t wheel -d $(CURDIR)/dist
	@if command -v npm >/dev/null; then $(MAKE) -s npm-package; else echo "npm is not installed: no npm package" >&2; fi

npm-package: clients/typescript/node_modules/BUILT
	mkdir -p $(DIST)
	cd clients/typescript && npm pack --silent --pack-destination $(DIST)
	cp clients/typescript/dist/marquee-list.js $(DIST)

clients/typescript/node_modules/READY: clients/typescript/package-lock.json
	cd clients/typescript && npm ci --silent
	@touch $@

clients/typescript/node_modules/BUILT: clients/typescript/node_modules/READY $(wildcard clients/typescript/*.json clients/typescript/src/*.ts clients/typescript/src/list/*.ts)
	rm -rf clients/typescript/dist
	cd clients/typescript && npm run --silent build
	@touch $@

node-tools:
	@if command -v npm >/dev/null; then $(MAKE) -s clients/typescript/node_modules/READY; fi

causes: .venv/READY kafka-jars ## bring servers into every state anew, and write docs/reference/causes.md
	rm -f tests/integration/causes/cells.json
	MARQUEE_TEST_WRITE_CAUSES=1 .venv/bin/pytest -q tests/integration/causes
	.venv/bin/python -m marquee_testing.causes.table

test: check audit-offline .venv-trainer/READY install-pipeline .venv-fuzz/READY kafka-jars node-tools ## the whole test suite, and what it needs (KINDS="unit e2e" for some)
	$(PYTHON) tests/run.py $(KINDS)

coverage: .venv/READY .venv-trainer/READY kafka-jars node-tools ## the tests that run the code in their own process, with coverage and its floor
	$(PYTHON) tests/run.py --coverage unit contract simulation

kafka-jars:
	@if command -v java >/dev/null && command -v mvn >/dev/null; \
		then $(PYTHON) deploy/kafka/broker.py --fetch; fi

demo: ## everything on this machine (PORT= STATE= DATA= IMPORT= BUS=redis|kafka)
	@export PORT="$(PORT)" STATE="$(STATE)" DATA="$(DATA)" IMPORT="$(IMPORT)" BUS="$(BUS)"; exec $(SYSTEM_PYTHON) deploy/demo.py

bench: .venv/READY .venv-trainer/READY ## measure the budgets (ARGS="--quick --bus redis", ARGS=--help)
	$(PYTHON) tests/bench/run.py $(ARGS)

bench-train: .venv-trainer/READY ## measure a training and its models' answers (ARGS="--size small|1m|25m", ARGS=--help)
	.venv-trainer/bin/python tests/bench/train.py $(ARGS)

mutations: .venv/READY ## break the code on purpose: each break has a test that must fail (ARGS="3 7" for some)
	$(PYTHON) tests/mutations/break_code.py $(ARGS)

audit: .venv-audit/READY ## vulnerabilities, licences, bills of materials, secrets, unsafe code (ARGS=--without-vulnerabilities)
	.venv-audit/bin/python tests/audit/audit.py $(ARGS)

audit-offline: .venv-audit/READY ## of the audit what needs no network and little time
	.venv-audit/bin/python tests/audit/audit.py --offline

licences: .venv-audit/READY ## after `make lock`: ask the package index for the licences of what is new
	.venv-audit/bin/python tests/audit/audit.py --update-licences

bench-events: .venv/READY .venv-trainer/READY ## measure events: visible, handled, accepted (ARGS="--quick --bus redis")
	$(PYTHON) tests/bench/events.py $(ARGS)

bench-rolling: .venv/READY .venv-trainer/READY ## restart every process in turn under load: no request may fail (ARGS="--bus kafka", ARGS=--help)
	$(PYTHON) tests/bench/rolling.py $(ARGS)

bench-overload: .venv/READY .venv-trainer/READY ## offer twice what the gateway can answer (ARGS="--minutes 0.5", ARGS=--help)
	$(PYTHON) tests/bench/overload.py $(ARGS)

bench-pairs: .venv/READY ## compare lists of two running gateways in turn (ARGS="URL URL", ARGS=--help)
	$(PYTHON) tests/bench/pairs.py $(ARGS)

bench-following: .venv/READY .venv-trainer/READY ## measure pages that follow lists: delay, memory, CPU (ARGS="--followers 1000", ARGS=--help)
	$(PYTHON) tests/bench/following.py $(ARGS)

bench-lists: .venv/READY .venv-trainer/READY ## measure kept and computed lists, shelves, several workers (ARGS="--workers 2 4", ARGS=--help)
	$(PYTHON) tests/bench/lists.py $(ARGS)

bench-access: .venv/READY .venv-trainer/READY ## measure what keys, limits and secrets cost, in pairs (ARGS=--help)
	$(PYTHON) tests/bench/access.py $(ARGS)

chaos: .venv/READY .venv-trainer/READY kafka-jars ## kill, stop and cut everything under load, then check (ARGS="--minutes 3 --seed 7")
	$(PYTHON) tests/chaos/chaos.py $(ARGS)

fuzz: .venv/READY .venv-fuzz/READY kafka-jars ## send generated requests and events, then check (ARGS="--seed 7 --requests 2000 --bus redis")
	$(PYTHON) tests/fuzz/fuzz.py $(ARGS)

soak: .venv/READY .venv-trainer/READY ## watch memory, files and keys under steady load (ARGS="--minutes 10")
	$(PYTHON) tests/chaos/soak.py $(ARGS)

repro: .venv-trainer/READY .venv-pipeline/READY ## train on the bundled data by dvc.yaml, what changed only
	.venv-pipeline/bin/dvc repro

train: .venv-trainer/READY ## train and publish all models
	.venv-trainer/bin/marquee train

evaluate: .venv-trainer/READY ## print the quality of the newest models
	.venv-trainer/bin/marquee evaluate

clean: ## remove the environments, reports and caches (not var/)
	rm -rf .venv .venv-docs .venv-trainer .venv-pipeline .venv-airflow .venv-fuzz .venv-audit reports site clients/typescript/dist clients/typescript/node_modules deploy/kafka/lib .mypy_cache .ruff_cache .pytest_cache
