# k8snet-tutor: everything a person or a CI job does here. `make help` lists it.
# Each target builds its own environment in .venv when it is missing or when pyproject.toml changed.
# Needed beforehand: make, a Python >= 3.11 with its venv module, and a package registry.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.ready-to-run
DEV_READY := $(VENV)/.ready-to-develop

# Extra words for one call: make test ARGS="-k bridge", make run ARGS="--lang ko"
ARGS ?=

# The first candidate that starts (a pyenv shim may exist and not start), is new enough and can make a venv.
# `make run PYTHON=/path/to/python3.13` names one.
define find-python
python=; bare=; \
for candidate in $${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python /usr/bin/python3}; do \
  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
  if "$$candidate" -c 'import venv, ensurepip' 2>/dev/null; then python=$$candidate; break; fi; \
  bare=$${bare:-$$candidate}; \
done; \
if [ -z "$$python" ] && [ -n "$$bare" ]; then \
  echo "$$bare has no venv module, which builds the environment in $(VENV)." >&2; \
  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; \
  exit 1; \
elif [ -z "$$python" ]; then \
  echo "k8snet-tutor needs Python 3.11 or newer; tried: $${PYTHON:-python3, python3.11 to 3.14}." >&2; \
  echo "Install one (Debian 12, Ubuntu 24.04: apt-get install python3), or: make PYTHON=/path/to/python3.12 ..." >&2; \
  exit 1; \
fi
endef

# $(1): what to install, $(2): the stamp file. pip is quiet unless something goes wrong.
define build-venv
$(find-python); \
if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then "$$python" -m venv --clear $(VENV); fi; \
echo "Preparing $(VENV) ($(1)) with $$($(BIN)/python --version); this happens once." >&2; \
$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '$(1)'; \
touch $(2)
endef

export PYTHON

$(RUN_READY): pyproject.toml
	@$(call build-venv,.,$@)

$(DEV_READY): pyproject.toml
	@$(call build-venv,.[dev],$@)
	@touch $(RUN_READY)

.PHONY: run test check fix bench real pictures help

run: $(RUN_READY)  ## open the course
	@exec $(BIN)/python -m course $(ARGS)

test: $(DEV_READY)  ## run the tests (ARGS="-k word" for some of them)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check: $(DEV_READY)  ## format, lint, types and import contracts
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

fix: $(DEV_READY)  ## format and repair what the linter can repair
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

bench: $(DEV_READY)  ## measure start-up, memory, animation and the engine against their gates
	@$(BIN)/python -m bench.run $(ARGS)

# IPVS, IPIP and ipvlan are in few hosts' kernels: Debian's user-mode-linux brings a second one that has them.
define get-second-kernel
export PATH="$$PATH:/usr/sbin:/sbin"; \
if ! command -v linux.uml >/dev/null || ! command -v ipvsadm >/dev/null; then \
  as_root=; [ "$$(id -u)" -eq 0 ] || as_root="sudo -n"; \
  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends user-mode-linux ipvsadm || \
    echo "Without user-mode-linux and ipvsadm the second kernel is left out (apt-get install user-mode-linux ipvsadm)." >&2; \
fi
endef

real: $(DEV_READY)  ## compare the model with the real Linux kernel, and with a second one in user space
	@$(get-second-kernel)
	@K8SNET_REAL_ROUNDS=$${K8SNET_REAL_ROUNDS:-10} $(BIN)/python -m pytest tests/real $(ARGS)

pictures: $(DEV_READY)  ## make the pictures of the README and the docs again
	@$(BIN)/python -m docs.pictures $(ARGS)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
