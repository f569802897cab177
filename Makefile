# Every command a developer or an operator needs. `make help` lists them.
VENV   := .venv
PY     := $(VENV)/bin/python
PYTEST := $(PY) -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long bench lint format screenshots clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Create .venv and the runner environment with everything in them
	@bash deploy/setup.sh

demo: setup ## Start the server with Fashion-MNIST, train and hand in baselines, show the leaderboard
	@$(PY) deploy/demo.py $(if $(DEMO_ONCE),--once)

lint: setup ## Check style, types and the arrows between the packages
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup ## Format the code
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test: lint ## Run every test
	$(PYTEST) -m "not long"

test-long: setup ## Run the full counts (fuzz, a thousand submissions)
	$(PYTEST) -m long
	$(VENV)/bin/sandbox self-check --suite
	$(PY) tests/grader/fuzz_predictions.py --count 200000
	$(PY) tests/leaderboard/chaos.py --submissions 500 --kills 60 --code 6 --database postgresql
	$(PY) tests/leaderboard/chaos.py --submissions 500 --kills 60 --database sqlite

bench: setup ## Measure side by side with what users would use instead; JSON to BENCH_JSON=path
	$(PY) tests/bench/run.py $(if $(BENCH_JSON),--json $(BENCH_JSON))

screenshots: setup ## Photograph every page, light and dark, wide and phone, into build/screenshots
	$(PY) deploy/screenshots.py

clean: ## Remove what the demo and the builds left (not .venv)
	rm -rf .demo build runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
