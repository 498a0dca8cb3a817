# Everything here works on a machine with Python >= 3.11, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: bench demo test test-giants torture torture-images lint format docs notebooks clean

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --editable . --group dev
	touch $@

demo: $(BIN)/.installed  ## the whole tour, on pictures made on the spot
	$(BIN)/embed demo

test: $(BIN)/.installed lint  ## lint, types and the test suite
	$(BIN)/pytest -n 2 -m "not giant and not torture"

test-giants: $(BIN)/.installed  ## the backbones that are too large for the ordinary run
	$(BIN)/pytest -m giant -o timeout=3600

torture: $(BIN)/.installed  ## everything long: kills, power cuts, damaged files
	$(BIN)/pytest -s -m torture

torture-images: $(BIN)/.installed  ## ten thousand damaged files through embed extract
	$(BIN)/pytest tests/images/test_torture.py -m torture

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(BIN)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# In turn, or some of them: make bench BENCHMARKS="rerun heads".
BENCHMARKS ?= extraction rerun classic commit read heads options coldstart search duplicates

# onnxruntime is measured against; it is no dependency.
bench: $(BIN)/.installed  ## every benchmark, side by side, and a table of what was to be reached; takes about an hour
	$(BIN)/pip install --quiet onnxruntime tf2onnx
	for name in $(BENCHMARKS); do \
		echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done
	$(BIN)/python benchmarks/picture.py
	$(BIN)/python benchmarks/table.py

docs: $(BIN)/.installed  ## the documentation, in site/
	$(BIN)/pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

notebooks: $(BIN)/.installed  ## run the notebooks and keep their outputs
	$(BIN)/python notebooks/execute.py

clean:
	rm -rf $(VENV) build dist site
