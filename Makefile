# Everything runs in .venv, which the first target that needs it makes: nothing has to be activated.
# PYTHON chooses the interpreter that .venv is made with: `make setup PYTHON=python3.12`.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# A reproduction that ran and contradicts the paper (1) is a result; any other exit code is a failure.
JUDGED = || test $$? -eq 1
# Exact attention with and without its n x n matrix, and EAANet's mechanisms.
MECHANISMS := aa-resnet18-explicit $(addprefix eaa-resnet18-,fused pooled efficient linear performer linformer nystrom axial window)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup lint type test report bench gate baseline clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Make .venv and install aabench with all it needs (once; again when the dependencies change)

# The stamp is written last, so that an interrupted installation is taken up again; a .venv without a working pip
# is made anew.
$(STAMP): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: aabench needs Python 3.11 or newer, and '$(PYTHON)' is not; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear .venv
	@echo "Installing into .venv: some minutes, and several GB with torch's CUDA build"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

lint: $(STAMP) ## Check style and format (ruff)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

type: $(STAMP) ## Check types (mypy, strict)
	$(BIN)/mypy

# With one thread each, since threads that wait for a core that another process has make a small operation a long one.
test: $(STAMP) ## Run the tests (AABENCH_DATA=FOLDER adds those that need real data)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 8 -m 'not alone'
	$(BIN)/pytest -m alone

report: $(STAMP) ## Measure what needs no data, judge the claims, and write reports/
	$(BIN)/aabench reproduce --all --level structure $(JUDGED)
	$(BIN)/aabench reproduce aa-resnet50 aa-wrn-28-10 --level smoke $(JUDGED)
	$(BIN)/aabench profile --seconds 0.5
	$(BIN)/aabench profile $(MECHANISMS) --predict --mode train --batch 8 --res 64,128,256,512
	$(BIN)/aabench report

bench: $(STAMP) ## Run the benchmarks; writes reports/bench.json and bench.md
	@mkdir -p reports
	$(BIN)/pytest tests/bench --benchmark-only --benchmark-json=reports/bench.json

# What the gate looks at: nothing is run, so that any machine gives the same numbers with the same torch. How costs
# grow is looked at for one network of each kind of attention.
runs/%.jsonl: $(STAMP) FORCE
	@rm -f $@
	$(BIN)/aabench profile --all --predict --mode train --batch 8 --res 64 --log $@
	$(BIN)/aabench profile aa-resnet50 aa-wrn-28-10 aw-resnet50 $(MECHANISMS) --predict --mode train --batch 8 --res 128 --log $@
	$(BIN)/aabench profile --predict --res 32..512 --log $@

gate: runs/gate.jsonl ## Compare counts and predictions with reports/baseline.jsonl (COMPARE=OPTIONS of aabench compare)
	$(BIN)/aabench compare reports/baseline.jsonl $< $(COMPARE)

baseline: runs/baseline.jsonl ## Renew reports/baseline.jsonl, where a change of cost is wanted
	cp $< reports/baseline.jsonl

.PHONY: FORCE
FORCE:

clean: ## Remove .venv, caches and runs/ (the log and the checkpoints of your runs)
	rm -rf .venv runs dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
