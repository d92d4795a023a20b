# Every target makes what it needs on first use, with nothing but python3 -m venv and pip.
#
# PYTHON       the interpreter that makes .venv
# TORCH_INDEX  where to take torch from. Empty: pip's own index, which on Linux means the CUDA build (gigabytes).
#              A CPU box wants: make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export ORT_DISABLE_TELEMETRY := 1

.PHONY: demo test lint models acceptance compat attack mutants arm soak benchmarks clean

demo: $(INSTALLED)
	$(BIN)/edgelstm demo --output demo --overwrite

# A file goes to whichever worker is free, in the order of the folders, and stays there: its trainings are its own.
test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Train and export the model files that are committed under models/, and say so in their card.
models: $(INSTALLED)
	rm -rf runs/co2
	$(BIN)/edgelstm train --recipe models/co2/recipe.toml --output runs/co2
	$(BIN)/edgelstm export runs/co2 --quantize --output models/co2
	cp runs/co2/forecast.png models/co2
	$(BIN)/python -m benchmarks.acceptance --tables --output benchmarks/results/acceptance

# Every recipe under models/ and people's own tables, with one seed, against their bars; about a quarter of an hour. A second
# start goes on with what is missing.
# The cards say where the data sets come from: make acceptance EDGELSTM_DATA=...
acceptance: $(if $(EDGELSTM_DATA),$(INSTALLED))
	$(if $(EDGELSTM_DATA),,$(error EDGELSTM_DATA must name the folder with the data sets, see models/*/README.md))
	EDGELSTM_DATA="$(EDGELSTM_DATA)" $(BIN)/python -m benchmarks.acceptance; recipes=$$?; \
	EDGELSTM_DATA="$(EDGELSTM_DATA)" $(BIN)/python -m benchmarks.own_tables --seeds 0 --no-write && exit $$recipes

# Replay all kinds of model files on old and new onnxruntimes, each in an environment of its own.
compat: $(INSTALLED)
	$(BIN)/python -m benchmarks.compat

# The wheel on emulated Raspberry Pi 3, 4 and 5: real aarch64 builds under qemu. Debian or Ubuntu, Linux 6.7 or newer.
arm: $(INSTALLED)
	$(BIN)/python -m benchmarks.arm

# 100,000 altered model files against the reader, and against onnxruntime in children that may die. Linux, about 20 minutes.
attack: $(INSTALLED)
	$(BIN)/python -m tests.attack.attack --output benchmarks/results

# 400 small changes of the package, each of which a test must notice: which tests run what is recorded first. Two cores, two hours,
# the recording included; a second start goes on.
mutants: $(INSTALLED)
	$(BIN)/python -m tests.mutants.mutants --output benchmarks/results

# Beside torch, its plain export, darts, LiteRT and OpenVINO, each in an environment of its own. Linux; about ten minutes, the
# first time a quarter of an hour and 5 GB more.
benchmarks: $(INSTALLED)
	TORCH_INDEX=$(TORCH_INDEX) $(BIN)/python -m benchmarks.peers

# 10 million steps against chunked batches, memory, 32 threads, a fork, pickles. About four minutes.
soak: $(INSTALLED)
	$(BIN)/python -m tests.soak

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "torch==2.13.0"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	touch $@

clean:
	rm -rf $(VENV) demo runs dist .compat .arm .benchmarks
