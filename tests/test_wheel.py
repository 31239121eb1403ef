"""What is published can be used: the wheel of the source distribution, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PUBLISHED = ("tvnsearch", "latency_db", "predictors", "cli")
BUILD_SDIST = "import setuptools.build_meta as backend; backend.build_sdist('dist')"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The installed command, and an environment with the wheel, and from ours the dependencies alone."""
    folder = tmp_path_factory.mktemp("published")
    source = folder / "source"
    for package in PUBLISHED:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD_SDIST], cwd=source, check=True, capture_output=True)
    [sdist] = (source / "dist").glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    built = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sdist]
    subprocess.run([*pip, *built], check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    clean = folder / "clean"
    venv.create(clean)
    python = clean / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True, capture_output=True)
    [installed] = clean.glob("lib/*/site-packages")
    places = os.pathsep.join((str(installed), sysconfig.get_path("purelib")))
    return clean / "bin" / "tvnsearch", os.environ | {"PYTHONPATH": places}


@pytest.mark.slow
def test_the_wheel_of_the_source_distribution_works(
    command: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    program, environment = command

    def run(*words: str) -> str:
        done = subprocess.run(
            [program, *words], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import tvnsearch; print(tvnsearch.__file__)"
    found = subprocess.run(
        [program.parent / "python", "-c", where],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    [installed] = program.parent.parent.glob("lib/*/site-packages")
    assert Path(found.stdout.decode().strip()) == installed / "tvnsearch" / "__init__.py"
    for package in PUBLISHED:
        ours = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if path.is_file()}
        data = {path for path in ours if "__pycache__" not in path.parts}
        assert not [path for path in data if not (installed / path).exists()]
    assert "evolve" in run("--help")
    assert "tvn-1" in run("zoo", "list")
    run("sample", "--count", "2", "--space", "paper", "--max-params", "12M", "--out", "genomes")
    assert len(list((tmp_path / "genomes").iterdir())) == 2
    run("data", "generate", "--out", "clips")
    assert list((tmp_path / "clips").rglob("*.mp4"))
