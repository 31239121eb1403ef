# make evolve   install, profile this CPU, search under 50 ms and 12 M parameters, train, export
# make test     install, lint, types, every test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DB := runs/latency.sqlite
RUN := runs/digits

.PHONY: evolve test slow clean

evolve: $(INSTALLED)
	@echo "== 1/4 clips: handwritten digits in motion, as real H.264 files"
	@$(BIN)/tvnsearch data generate --out runs/clips
	@echo "== 2/4 profile: this CPU's layer latencies, and a predictor trained on them"
	@$(BIN)/tvnsearch profile --device cpu --minutes 2 --max-ms 50 --space digits --db $(DB)
	@echo "== 3/4 evolve: under 50 ms and 12 M parameters, in the paper's space narrowed to what two cores can train"
	@$(BIN)/tvnsearch evolve --max-ms 50 --max-params 12M --space digits --minutes 9 \
		--data runs/clips --db $(DB) --run $(RUN)
	@echo "== 4/4 lookup table of this CPU, for any other tool"
	@$(BIN)/tvnsearch lut export --device cpu --format csv --db $(DB) --out runs/latency-cpu.csv

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

$(INSTALLED): pyproject.toml constraints.txt
	@echo "== install into $(VENV): some minutes, for torch is large"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[onnx,openvino,dev]'
	@touch $@

clean:
	rm -rf $(VENV) runs
