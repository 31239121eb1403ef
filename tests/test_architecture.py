"""Who may import whom: the rules of docs/architecture.md, held over the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tvnsearch

ROOT = Path(__file__).parent.parent
PACKAGES = ("tvnsearch", "latency_db", "predictors", "cli")
FORBIDDEN = {
    "tvnsearch": {"cli"},
    "latency_db": {"predictors", "cli", "tvnsearch.api"},
    "predictors": {"cli", "tvnsearch.api"},
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
    "tvnsearch.reporting": {
        "torch",
        "numpy",
        "tvnsearch.network",
        "tvnsearch.data",
        "tvnsearch.training",
        "tvnsearch.export",
        "tvnsearch.workers",
    },
    "tvnsearch.network": {"tvnsearch.devices", "tvnsearch.training", "tvnsearch.search", "tvnsearch.data"},
    "tvnsearch.data": {"tvnsearch.devices", "tvnsearch.training", "tvnsearch.search", "tvnsearch.network"},
    "tvnsearch.devices": {"tvnsearch.training", "tvnsearch.search", "tvnsearch.data"},
    "tvnsearch.training": {"tvnsearch.devices", "tvnsearch.search"},
    "tvnsearch.search": {"torch", "tvnsearch.training", "tvnsearch.network", "tvnsearch.data"},
}
BEHIND_THE_API = {
    "latency_db",
    "predictors",
    "tvnsearch.data",
    "tvnsearch.devices",
    "tvnsearch.export",
    "tvnsearch.network",
    "tvnsearch.training",
    "tvnsearch.workers",
}
"""What commands reach through one function of the API only; the names of types are free."""

HEAVY = {"torch", "lightgbm", "pandas", "sklearn", "scipy", "av"}
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


def _imports_at_run_time(tree: ast.AST) -> set[str]:
    typed = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    kept = [node for node in ast.walk(tree) if node not in typed]
    return set().union(*(_imports(node) for node in kept if isinstance(node, ast.Import | ast.ImportFrom)))


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _wrong(imports: dict[str, set[str]], forbidden: set[str]) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, names in imports.items()
        for name in names
        if any(_is_in(name, one) for one in forbidden)
    ]


def test_the_packages_are_found() -> None:
    assert {name.split(".")[0] for name in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("package", FORBIDDEN)
def test_nothing_imports_upwards(package: str) -> None:
    imports = {module: _imports(tree) for module, tree in MODULES.items() if _is_in(module, package)}
    assert not _wrong(imports, FORBIDDEN[package])


def test_inside_the_package_the_api_alone_knows_databases_and_predictors() -> None:
    imports = {
        module: _imports(tree)
        for module, tree in MODULES.items()
        if _is_in(module, "tvnsearch") and not _is_in(module, "tvnsearch.api")
    }
    assert not _wrong(imports, {"latency_db", "predictors"})
    del imports["tvnsearch"]
    assert not _wrong(imports, {"tvnsearch.api"})


def test_commands_work_through_the_api() -> None:
    imports = {
        module: _imports_at_run_time(tree)
        for module, tree in MODULES.items()
        if _is_in(module, "cli.commands")
    }
    assert not _wrong(imports, BEHIND_THE_API)


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


def _loaded(code: str, names: set[str]) -> str:
    code = f"import sys; {code}; print(*sorted({names} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return printed.stdout.strip()


def test_help_loads_nothing_heavy() -> None:
    assert _loaded("import cli.main", HEAVY | {"numpy"}) == ""


def test_the_front_door_loads_nothing() -> None:
    assert _loaded("import tvnsearch", HEAVY | {"numpy", "msgspec", "tvnsearch.api"}) == ""


def test_verbs_load_nothing_heavy_until_they_are_called() -> None:
    names = sorted(tvnsearch.__all__)
    code = f"import tvnsearch; [getattr(tvnsearch, name) for name in {names}]"
    assert _loaded(code, HEAVY) == ""


def test_editors_see_each_name_of_the_front_door_where_it_comes_from() -> None:
    typed = {
        alias.name: node.module
        for node in ast.walk(MODULES["tvnsearch"])
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("tvnsearch.")
        for alias in node.names
    }
    assert set(tvnsearch.__all__) == tvnsearch._HOMES.keys()
    assert typed == tvnsearch._HOMES


def test_no_name_of_the_front_door_is_a_module_too() -> None:
    """Importing the module would put it in the place of the function."""
    assert not [name for name in tvnsearch.__all__ if f"tvnsearch.{name}" in MODULES]
    with pytest.raises(AttributeError, match="profil"):
        tvnsearch.profil  # noqa: B018
