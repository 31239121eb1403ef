"""The Python that the documents show is run, as a user would who copies it; their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from latency_db import LatencyStore, default_path
from tests.predictors.synthetic_device import profiles
from tvnsearch.api import device_latency, planning
from tvnsearch.devices import LayerProfile, Meter, diagnosis, open_device, processes

ROOT = Path(__file__).parent.parent
SECONDS_A_NETWORK = 20.0
"""Thirty networks make up the ten minutes that the document profiles for: nothing is left to measure."""


class PythonBlock(NamedTuple):
    line: int
    code: str


def python_blocks(document: Path) -> Iterator[PythonBlock]:
    text = document.read_text()
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield PythonBlock(text.count("\n", 0, found.start(1)), found[1])


def run_blocks(document: Path, blocks: list[PythonBlock]) -> dict[str, Any]:
    """What the names mean after all of them; an error names the document and its line."""
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile("\n" * block.line + block.code, document, "exec"), names)
    return names


@pytest.fixture(scope="module")
def _user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user in a folder of their own, whose latency database holds made-up figures of this device."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, fewest in (
            (processes, "PROCESSES", 1),
            (processes, "MOST_PROCESSES", 1),
            (processes, "AGAIN_SECONDS", 0.1),
            (diagnosis, "ROUNDS", 2),
            (planning, "TRIAL_SECONDS", 0.2),
            (device_latency, "MEASURE_SECONDS", 1.0),
        ):
            patch.setattr(module, name, fewest)  # the code runs alike, each process more takes seconds
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        patch.chdir(tmp_path_factory.mktemp("user"))
        with Meter(open_device("cpu")) as meter, LatencyStore(default_path()) as store:
            session = store.start_session(meter.fingerprint, "{}", 0, 50.0)
            for index, made_up in enumerate(profiles(30, seed=1)):
                still = (0.0,) * len(made_up.latencies_ms)
                stamped = LayerProfile(made_up.latencies_ms, still, 9, 0, made_up.network, made_up.parts)
                store.add_profile(session, index, made_up.genome, made_up.classes, stamped, SECONDS_A_NETWORK)
        yield


@pytest.mark.usefixtures("_user")
def test_the_readme_shows_python_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    document = ROOT / "README.md"
    blocks = list(python_blocks(document))
    names = run_blocks(document, blocks)
    assert len(blocks) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert str(names["predicted"].upper_ms) in lines[-1]
    assert names["drawn"].params <= 100_000


@pytest.mark.usefixtures("_user")
def test_the_document_of_the_api_shows_python_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    document = ROOT / "docs" / "python-api.md"
    blocks = list(python_blocks(document))
    names = run_blocks(document, blocks)
    assert names["profiled"].minutes == 10
    assert names["refitted"].heldout == names["profiled"].heldout
    assert names["described"].genome == names["larger"]
    assert names["first"].latency_ms <= 50 or names["first"].over_budget
    assert names["planned"].space_left.genomes >= names["planned"].space_left.within_predictions > 0
    assert names["report"].trained == 3
    assert names["report"].winner.ci_high_ms <= 50
    assert names["picked"].picked.ci_high_ms <= 49
    assert 1 <= len(names["finals"].finalists) <= 2
    assert names["trained"].result.iterations == 20
    assert names["evaluated"].mean.clips == 4 * 6
    assert names["exported"].device == names["profiled"].digest
    assert "expected a zoo network" in capsys.readouterr().out
    written = {path.name for path in Path().iterdir()}
    assert {"larger.svg", "confusion.svg", "net.onnx", "latency-cpu.csv", "copy.sqlite"} <= written


def test_the_document_of_the_api_names_every_function() -> None:
    import tvnsearch

    text = (ROOT / "docs" / "python-api.md").read_text()
    assert not [name for name in tvnsearch.__all__ if f"tvnsearch.{name}" not in text]


FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


def headings(document: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    anchors: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text()), re.MULTILINE):
        anchor = base = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        again = 0
        while anchor in anchors:
            again += 1
            anchor = f"{base}-{again}"
        anchors.add(anchor)
    return anchors


def dead_links(document: Path) -> list[str]:
    """Links to a file that is not there, or to a heading that it lacks; other sites are not asked."""
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = document.parent / place if place else document
        if not target.exists() or (anchor and anchor not in headings(target)):
            dead.append(link)
    return dead


DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_no_link_is_dead(document: Path) -> None:
    assert not dead_links(document)


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# The one, `the only`\n\n# Same\n\n# Same\n")
    document = tmp_path / "document.md"
    document.write_text(
        "# Here\n[a](other.md#the-one-the-only) [b](other.md#same-1) [c](#here) [d](https://example.org/#no)\n"
        "[e](other.md#same-2) [f](gone.md) [g](#there)\n```\n[h](code.md)\n```\n"
    )
    assert dead_links(document) == ["other.md#same-2", "gone.md", "#there"]
