# Everything here works on a machine with Python >= 3.11, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Without it TensorFlow would be compiled again by every command that imports it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench demo test test-giants torture torture-images soak fuzz lint format docs lock notebooks pictures pythons stress clean

# What was tested is what gets installed: every version, with its hash, is in the lock. Modules are compiled when they are first
# imported: most never are.
$(BIN)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "embed needs Python 3.11 or later; name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "This Python has no venv. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock:  ## take the newest versions into the lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
		--group dev pyproject.toml --output-file requirements.lock
	$(VENV)-lock/bin/pip install --quiet --dry-run --ignore-installed --require-hashes --requirement requirements.lock
	rm -rf $(VENV)-lock

pythons:  ## the wheel, with the newest versions, on every Python >= 3.11 that this machine has
	$(PYTHON) tests/support/pythons.py

demo: $(BIN)/.installed  ## the whole tour, on pictures made on the spot
	$(BIN)/embed demo

test: $(BIN)/.installed lint  ## lint, types and the test suite
	$(BIN)/pytest -n 3 --dist worksteal -m "not giant and not torture"

test-giants: $(BIN)/.installed  ## the backbones that are too large for the ordinary run
	$(BIN)/pytest -m giant -o timeout=3600

stress: $(BIN)/.installed  ## what depends on signals, processes and threads, twenty times on a busy machine
	$(BIN)/python tests/support/stress.py --runs 20 --busy 2

torture: $(BIN)/.installed  ## everything long: kills, power cuts, damaged files
	$(BIN)/pytest -s -m torture

MINUTES ?= 60

torture-images: $(BIN)/.installed  ## ten thousand damaged files through embed extract
	$(BIN)/pytest tests/images/test_torture.py -m torture

soak: $(BIN)/.installed  ## an hour of use while processes are killed and disks fail; make soak MINUTES=10 is shorter
	$(BIN)/python tests/support/soak.py --minutes $(MINUTES) --out benchmarks/results/soak.json

fuzz: $(BIN)/.installed  ## twenty minutes of made-up content for every file that is read
	$(BIN)/python tests/support/fuzz.py --minutes 20

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(BIN)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# In turn, or some of them: make bench BENCHMARKS="rerun heads".
BENCHMARKS ?= extraction rerun classic commit read heads options coldstart search duplicates label_issues unlike clusters sources

# onnxruntime is measured against; it is no dependency.
bench: $(BIN)/.installed  ## every benchmark, side by side, and a table of what was to be reached; takes about an hour
	$(BIN)/pip install --quiet onnxruntime tf2onnx
	for name in $(BENCHMARKS); do \
		echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done
	$(BIN)/python benchmarks/picture.py
	$(BIN)/python benchmarks/table.py

docs: $(BIN)/.installed  ## the documentation, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

pictures: $(BIN)/.installed  ## those of embed serve in the documentation, on drawn pictures
	$(BIN)/python docs/pictures.py

notebooks: $(BIN)/.installed  ## run the notebooks and keep their outputs
	$(BIN)/python notebooks/execute.py

clean:
	rm -rf $(VENV) $(VENV)-lock build dist site
