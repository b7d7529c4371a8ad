# Everything this project can be asked for. `make help` lists it; each target sets up what it needs, once.

.DEFAULT_GOAL := help
SHELL := /bin/sh
# the exact versions in constraints.txt were tried with 3.11
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_SPARK := .venv/.installed-spark
# each in an environment of its own, made once
PEERS := .venv-peers/tap-iterable/.installed .venv-peers/source-iterable/.installed peers/iterable-api/node_modules/.installed
# with the variables that the models are handed in earnest
PARSE_MODELS := from iterable_pipelines import settings; from iterable_pipelines.profiles import dbt; \
	dbt.run_dbt(settings.load_settings(), ["--warn-error", "parse"])
# more pytest arguments: make test ARGS="-k settings -x"
ARGS ?=

.PHONY: help install demo dev test test-spark test-peers check bench screenshots postgres nginx redis systemd java

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(INSTALLED) ## import a day of the sandbox and print profiles; no account needed
	@$(BIN)/iterable-pipelines demo

dev: $(INSTALLED) ## the UI on http://127.0.0.1:3000, with the sandbox when no key is set
	@$(BIN)/iterable-pipelines dev

test: $(INSTALLED) postgres nginx redis systemd ## every test but those of Spark
	@$(BIN)/pytest -n 2 --ignore iterable_pipelines_tests/spark $(ARGS)

test-spark: $(INSTALLED_SPARK) java ## the models on Spark beside DuckDB; installs Java and pyspark
	@$(BIN)/pytest -n 2 iterable_pipelines_tests/spark $(ARGS)

# the tests start servers of their own and stop them; only the programs are needed
postgres:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
		|| $(call FROM_DEBIAN,postgresql,which the tests replicate into)

java:
	@test -x "$(JAVA_HOME)/bin/java" || command -v java >/dev/null || $(call FROM_DEBIAN,default-jre-headless,which Spark runs on)

nginx:
	@command -v nginx >/dev/null || test -x /usr/sbin/nginx || $(call FROM_DEBIAN,nginx,through which the tests send webhooks)

redis:
	@command -v redis-server >/dev/null || $(call FROM_DEBIAN,redis-server,which hands the tests' steps to workers)

systemd:
	@command -v systemd-analyze >/dev/null || $(call FROM_DEBIAN,systemd,which the tests have read the unit files)

FROM_DEBIAN = { echo "Installing $(1), $(2)"; \
	apt-get install -y -qq --no-install-recommends $(1) >/dev/null 2>&1 \
	|| { apt-get update -qq && apt-get install -y -qq --no-install-recommends $(1) >/dev/null; } \
	|| { echo "$(1) could not be installed; as root on Debian: apt-get install -y $(1)"; exit 1; }; }

test-peers: $(INSTALLED) $(PEERS) ## other people's clients of Iterable, on the sandbox (npm and Python 3.11 needed)
	@$(BIN)/python peers/compare.py

check: $(INSTALLED) ## style, types, definitions, models
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check toml
	$(BIN)/dagster definitions validate -w workspace.yaml
	$(BIN)/python -c '$(PARSE_MODELS)'

bench: $(INSTALLED) ## how fast the import is, beside the naive way and the floor
	@$(BIN)/python benchmarks/import.py --markdown benchmarks/RESULTS.md
	@$(BIN)/python benchmarks/profiles.py --markdown benchmarks/RESULTS.md
	@$(BIN)/python benchmarks/replay.py --markdown benchmarks/RESULTS.md
	@$(BIN)/python benchmarks/webhooks.py --markdown benchmarks/RESULTS.md
	@$(BIN)/python benchmarks/webhooks.py --rate 500 --kill 50 --markdown benchmarks/RESULTS.md

screenshots: $(INSTALLED) ## take the pictures of docs/ anew, with Debian's chromium
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pictures]'
	@$(BIN)/python docs/screenshots.py

install: $(INSTALLED) ## the environment, in .venv

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: install it, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv \
		|| { rm -rf .venv; echo "no venv could be made; on Debian: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv; this happens once and takes a few minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,postgres,celery,kubernetes]'
	@touch $@

$(INSTALLED_SPARK): $(INSTALLED)
	@echo "Installing Spark into .venv; this happens once, and is 500 MB"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[spark,thrift]'
	@touch $@

# their libraries of that age run with no newer Python than 3.11
.venv-peers/%/.installed: peers/requirements/%.txt
	@command -v python3.11 >/dev/null || { echo "$* needs Python 3.11; on Debian 12: apt install python3.11-venv"; exit 1; }
	@echo "Setting up $(@D); this happens once"
	@rm -rf $(@D) && python3.11 -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

peers/iterable-api/node_modules/.installed: peers/iterable-api/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing; on Debian: apt install nodejs npm"; exit 1; }
	@cd peers/iterable-api && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@
