# make demo, make test: everything on a fresh Debian machine with Python 3.11 or later and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check format benchmark screenshots panel clean

demo: $(INSTALLED)
	$(BIN)/mrtranslate demo demo --overwrite

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -q Testing/test_architecture.py

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: $(INSTALLED)
	$(BIN)/python Testing/benchmark_translate.py
	$(BIN)/python Testing/benchmark_worker.py
	$(BIN)/python Testing/benchmark_panel.py

# The panel's pictures of README and tutorial.
screenshots: $(INSTALLED)
	$(BIN)/python Testing/make_screenshots.py

# The real panel with slice views in a window, without Slicer; needs a desktop.
panel: $(INSTALLED)
	$(BIN)/python -m Testing.slicer_host.panel

# torch is pinned first and alone: a looser request would take gigabytes of CUDA packages.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[training,dev,host,dicom]'
	touch $@

clean:
	rm -rf $(VENV) demo build *.egg-info
