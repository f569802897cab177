# Every command a developer or an operator needs. `make help` lists them.
VENV   := .venv
PY     := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
# else each of the hundreds of processes that tests start compiles the packages anew
unexport PYTHONDONTWRITEBYTECODE
# a test holds up to 2 GB: more processes than four are of little use
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup lock demo test test-quick test-long bench lint format screenshots sbom audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Create .venv and the runner environment with everything in them (LATEST=1: the newest, not the locked)
	@bash deploy/setup.sh

lock: ## Resolve the locked versions anew (LATEST=1: take newer releases)
	@env -u LATEST bash deploy/setup.sh
	@$(PY) deploy/lock.py $(if $(LATEST),--upgrade)

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

test: lint ## Run every test, in one process more than there are cores (WORKERS=1: in one)
	$(PYTEST) -m "not long" -n $(WORKERS) --maxprocesses 4 --dist loadfile

# pure logic, and one submission each way: a CSV, and code in a sandbox
QUICK := tests/grader/scoring tests/grader/prediction_csv tests/grader/claims tests/leaderboard/rules tests/reference/recipe \
	tests/test_rooms.py tests/test_docstrings.py \
	tests/leaderboard/evaluations/test_evaluating.py::test_a_csv_is_scored_as_the_grader_scores_it_and_stands_on_the_board \
	tests/leaderboard/evaluations/test_evaluating.py::test_code_and_csv_of_one_model_score_the_same_and_a_kill_of_the_worker_goes_unnoticed

test-quick: lint ## Run the lint, pure logic and one submission each way, in a minute and a half
	$(PYTEST) -m "not long and not alone" -k "not equal_scikit_learn" -n $(WORKERS) --maxprocesses 4 --dist loadfile $(QUICK)

test-long: setup ## Run the full counts (fuzz, a thousand submissions)
	$(PYTEST) -m long
	$(VENV)/bin/sandbox self-check --suite
	$(PY) tests/grader/fuzz_predictions.py --count 200000
	$(PY) tests/leaderboard/chaos.py --submissions 500 --kills 60 --code 6 --database postgresql
	$(PY) tests/leaderboard/chaos.py --submissions 500 --kills 60 --database sqlite

bench: setup ## Measure side by side with what users would use instead; JSON to BENCH_JSON=path
	$(PY) tests/bench/run.py $(if $(BENCH_JSON),--json $(BENCH_JSON))

screenshots: setup ## Photograph every page, light and dark, wide and phone, into build/screenshots
	$(PY) tests/acceptance/screenshots.py

sbom: setup ## List what is installed with a server and in the runner, as CycloneDX JSON in build/sbom
	@mkdir -p build/sbom
	for lock in server objects runner torch; do \
		$(VENV)/bin/uv tool run -q --from cyclonedx-bom==7.5.0 cyclonedx-py requirements deploy/locks/$$lock.txt \
			--output-reproducible --of JSON -o build/sbom/$$lock.cdx.json || exit 1; \
	done

audit: setup ## Ask PyPI's database which locked versions have known faults
	for lock in deploy/locks/*.txt; do \
		$(VENV)/bin/uv tool run -q --from pip-audit==2.10.1 pip-audit --disable-pip --no-deps -r $$lock || exit 1; \
	done

clean: ## Remove what the demo and the builds left (not .venv)
	rm -rf .demo build runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
