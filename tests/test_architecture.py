"""Who may import whom: the rules of docs/architecture.md, held over the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tvnsearch", "latency_db", "predictors", "cli")
FORBIDDEN = {
    "tvnsearch": {"latency_db", "predictors", "cli"},
    "latency_db": {"predictors", "cli"},
    "predictors": {"cli"},
    "tvnsearch.genome": {
        "torch",
        "numpy",
        "tvnsearch.drawing",
        "tvnsearch.network",
        "tvnsearch.devices",
        "tvnsearch.data",
    },
    "tvnsearch.drawing": {
        "torch",
        "numpy",
        "tvnsearch.network",
        "tvnsearch.devices",
        "tvnsearch.data",
        "tvnsearch.training",
        "tvnsearch.search",
        "tvnsearch.export",
        "tvnsearch.workers",
    },
    "tvnsearch.network": {"tvnsearch.devices", "tvnsearch.training", "tvnsearch.search", "tvnsearch.data"},
    "tvnsearch.data": {"tvnsearch.devices", "tvnsearch.training", "tvnsearch.search", "tvnsearch.network"},
    "tvnsearch.devices": {"tvnsearch.training", "tvnsearch.search", "tvnsearch.data"},
    "tvnsearch.training": {"tvnsearch.devices", "tvnsearch.search"},
    "tvnsearch.search": {"torch", "tvnsearch.training", "tvnsearch.network", "tvnsearch.data"},
}
PICKLES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}


def _modules() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text())
    return found


MODULES = _modules()


def _imports(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_the_packages_are_found() -> None:
    assert {name.split(".")[0] for name in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("package", FORBIDDEN)
def test_nothing_imports_upwards(package: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in MODULES.items()
        if _is_in(module, package)
        for name in _imports(tree)
        if any(_is_in(name, forbidden) for forbidden in FORBIDDEN[package])
    ]
    assert not wrong


def test_there_is_no_import_cycle() -> None:
    graph = {
        module: {name for name in _imports(tree) if name in MODULES and name != module}
        for module, tree in MODULES.items()
    }
    packages = {
        module for module in graph if any(_is_in(other, module) for other in graph if other != module)
    }
    leaves = {module: imported - packages for module, imported in graph.items() if module not in packages}
    assert list(TopologicalSorter(leaves).static_order())


def test_nothing_is_unpickled() -> None:
    assert not [module for module, tree in MODULES.items() if _imports(tree) & PICKLES]


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'lightgbm', 'pandas', 'sklearn', 'numpy', 'av'}"
    code = f"import sys, cli.main; print({heavy} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "set()"
