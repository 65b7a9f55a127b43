# Everything here is one line of Python; the README has the same commands without make.
PYTHON ?= python3
OPENBLAS_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS

VENV_PYTHON = .venv/bin/python

.PHONY: help setup book pdf picture test slow lab assignments grade seeds portable bench scale mutants refresh lock wheels clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

setup:
	@if command -v $(PYTHON) >/dev/null; then $(PYTHON) tools/bootstrap.py; \
	elif command -v uv >/dev/null; then uv run --quiet --no-project --python 3.13 tools/bootstrap.py; \
	else echo "No $(PYTHON) here: install Python 3.11 to 3.15, or uv" \
		"(or say where it is: make book PYTHON=/path/to/python)." >&2; exit 1; fi

book: setup ## execute the chapters and build the book into _build/html
	@$(VENV_PYTHON) tools/book.py

pdf: setup ## print the book into _build/road-to-ntk.pdf, with Chromium, Chrome or Edge
	@$(VENV_PYTHON) tools/pdf.py

picture: setup ## draw the picture of README.md anew, with Chromium, Chrome or Edge
	@$(VENV_PYTHON) tools/picture.py

test: setup ## run every test: package, notebooks, tools, built pages
	@$(VENV_PYTHON) -m pytest

slow: setup ## run the tests that take minutes: a made-up class for each problem set, the PDF
	@$(VENV_PYTHON) -m pytest -m slow tests/test_grading.py tests/test_book.py

lab: setup ## open the chapters in JupyterLab
	@$(VENV_PYTHON) -m jupyterlab book

assignments: setup ## make releases, solutions and zips of the problem sets (VARIANT=2027: with other numbers)
	@$(VENV_PYTHON) tools/problem_sets.py $(if $(VARIANT),--variant "$(VARIANT)")

grade: setup ## grade a class: make grade SET=ps3-ntk INBOX=submissions
	@test -n "$(SET)" -a -n "$(INBOX)" || { echo "Say what to grade: make grade SET=ps3-ntk INBOX=submissions" >&2; exit 1; }
	@$(VENV_PYTHON) tools/grade.py "$(SET)" "$(INBOX)" $(ARGS)

seeds: setup ## re-run every chapter with NTK_SEED=1 to 10
	@$(VENV_PYTHON) tools/notebooks.py seeds

portable: setup ## run the chapters as on an old processor: do they print the same?
	@$(VENV_PYTHON) tools/notebooks.py portable

bench: setup ## compare kernels with Neural Tangents, in an environment of its own (ARGS=--avx2: without AVX-512)
	@$(VENV_PYTHON) benchmarks/run.py $(ARGS)
	@$(VENV_PYTHON) benchmarks/images.py

scale: setup ## ridge regression of up to 60,000 examples, into benchmarks/scale.csv (goes on where it was)
	@$(VENV_PYTHON) benchmarks/scale.py $(ARGS)

mutants: setup ## change ntk_helpers in thousands of places: do the tests notice? (more than an hour)
	@$(VENV_PYTHON) -m pip install --quiet mutmut==3.8.1
	@$(VENV_PYTHON) -m mutmut run; $(VENV_PYTHON) -m mutmut results

refresh: setup ## execute the chapters and write their outputs back
	@$(VENV_PYTHON) tools/notebooks.py refresh

# In an environment of its own: the old lock may contradict what pyproject.toml now asks for.
# Pins are kept where they still fit; delete requirements.txt first to take the newest of everything.
lock: ## pin all dependencies again, from pyproject.toml into requirements.txt
	@$(PYTHON) -m venv _build/lock
	@_build/lock/bin/python -m pip install --quiet uv
	@echo "-e .[book,lab,teach,test]" | _build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--fork-strategy fewest --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements.txt -

# No such interpreter or system is needed: uv reads what the package index has for them.
wheels: ## ask whether each pinned package has a wheel for Python 3.11 to 3.15 on Linux, macOS and Windows
	@$(PYTHON) -m venv _build/lock
	@_build/lock/bin/python -m pip install --quiet uv
	@for version in 3.11 3.12 3.13 3.14 3.15; do \
		for system in linux aarch64-unknown-linux-gnu macos windows; do \
			grep -v "^-e" requirements.txt | _build/lock/bin/uv pip compile --quiet --no-deps --only-binary :all: \
				--python-version $$version --python-platform $$system --output-file /dev/null - || exit 1; \
		done; \
	done
	@echo "Each pinned package has a wheel for Python 3.11 to 3.15 on Linux, macOS and Windows."

clean: ## remove what was built (the environment stays)
	rm -rf _build
