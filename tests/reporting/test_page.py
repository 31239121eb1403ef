"""The page of a run: its values are the run's, it is well-formed, small, and runs nothing of others."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

import tvnsearch
from tests.cli.running import refused, run, run_json
from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.api.report import run_page
from tvnsearch.reporting.page import page_html
from tvnsearch.reporting.records import FitnessAt, Prediction
from tvnsearch.search import Journal, run_search
from tvnsearch.search.events import Judged, Trained

VOID = {"meta", "input", "br", "link", "img", "hr"}
EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a reader of the page gets: texts and tables by section; every element must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.section = ""
        self.texts: dict[str, str] = {}
        self.rows: dict[str, list[list[str]]] = {}
        self.dots: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.levels: list[int] = []
        self.data = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "section":
            self.section = dict(attrs)["id"] or ""
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self.rows[self.section][-1].append("")
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "circle" and "data-n" in dict(attrs):
            self.dots[self.section] += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.data = self.data or data
            return
        self.texts[self.section] = self.texts.get(self.section, "") + data
        if {"td", "th"} & set(self.open):
            self.rows[self.section][-1][-1] += data


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with Journal.create(folder, make_plan(trainings=20)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    return folder


@pytest.fixture
def page(searched: Path, tmp_path: Path) -> Iterator[Page]:
    done = run("report", searched, "--out", tmp_path / "page.html")
    assert (done.returncode, done.stdout) == (0, f"report  {tmp_path / 'page.html'}\n")
    yield Page((tmp_path / "page.html").read_text())


def test_the_promise_is_that_of_the_status(searched: Path, page: Page) -> None:
    told = tvnsearch.status(searched)
    assert told.winner is not None
    assert told.promised
    text = page.texts["promise"]
    assert f"Individual {told.winner.number} keeps the budget of {told.max_ms:g} ms." in text
    assert f"{told.winner.latency_ms:.2f} ms" in text
    assert f"{told.winner.ci_low_ms:.2f} to {told.winner.ci_high_ms:.2f} ms" in text
    assert f"{told.winner.params:,}" in text


def test_what_became_of_genomes_adds_up_to_all_that_were_drawn(searched: Path, page: Page) -> None:
    told = tvnsearch.status(searched)
    counted = {what: int(count.replace(",", "")) for what, count in page.rows["fates"]}
    assert sum(counted.values()) == told.sampled
    assert counted["rejected by prediction"] == told.rejected_predicted
    assert counted["trained"] == told.trained


def test_every_trained_network_is_a_dot_of_both_figures(searched: Path, page: Page) -> None:
    told = tvnsearch.status(searched)
    assert page.dots["front"] == told.trained
    with Journal.read(searched) as journal:
        events = list(journal.events())
    assert page.dots["course"] == sum(isinstance(event, Trained) for event in events)
    best = page.rows["course"][-1]
    assert float(best[3]) == pytest.approx(told.best_fitness, abs=5e-4)


def test_predictions_are_held_against_what_was_measured(searched: Path, page: Page) -> None:
    with Journal.read(searched) as journal:
        verdicts = [
            one.measured.verdict for one in journal.events() if isinstance(one, Judged) and one.measured
        ]
    pairs = [(one.estimate, one.measurement) for one in verdicts if one.estimate and one.measurement]
    within = sum(known.lower_ms <= measured.latency_ms <= known.upper_ms for known, measured in pairs)
    text = " ".join(page.texts["predictions"].split())
    assert f"Of {len(pairs)} measured networks {100 * within / len(pairs):.1f} % lie within" in text


def test_the_lineage_leads_from_a_random_genome_to_the_winner(searched: Path, page: Page) -> None:
    shown = [int(row[0]) for row in page.rows["lineage"][1:]]
    with Journal.read(searched) as journal:
        history = journal.history()
    parents = [history.individuals[number].parent for number in shown]
    winner = history.winner
    assert winner is not None
    assert parents == [None, *shown[:-1]]
    assert shown[-1] == winner.individual.number
    gains = [float(row[2]) for row in page.rows["lineage"][2:]]
    fitness = [history.individuals[number].fitness.value for number in shown]
    assert gains == pytest.approx([after - before for before, after in pairwise(fitness)], abs=6e-4)


def test_the_script_has_the_genomes_and_the_answers_of_pick(searched: Path, page: Page) -> None:
    data = json.loads(page.data)
    answer = tvnsearch.pick(searched, max_ms=data["maxMs"])
    [*_, picked] = [one for one in data["picks"] if one[0] <= data["maxMs"]]
    assert picked == [picked[0], answer.picked.number, 1]
    with Journal.read(searched) as journal:
        known = journal.history().individuals
    genome = data["genomes"][str(answer.picked.number)]
    (searched.parent / "genome.json").write_text(json.dumps(genome))
    described = tvnsearch.describe(searched.parent / "genome.json", classes=20)
    assert described.genome == known[answer.picked.number].genome


def test_it_fetches_nothing_and_its_headings_are_in_order(page: Page) -> None:
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "onclick", "onload"}
    assert page.levels[0] == 1
    assert set(page.levels[1:]) == {2}


def test_names_are_text_wherever_they_stand(searched: Path) -> None:
    told = run_page(searched)
    assert told.promise is not None
    assert told.winner is not None
    evil = replace(
        told,
        run=EVIL,
        classes=[EVIL, "</script>"],
        promise=replace(told.promise, reason=EVIL, exported=EVIL, genome_id=EVIL),
        course=replace(told.course, name=EVIL),
        trained=[replace(point, genome_id=EVIL) for point in told.trained],
        settings=[replace(one, value=EVIL) for one in told.settings],
        fates=[replace(fate, what=EVIL) for fate in told.fates],
        lineage=[replace(one, changed=[EVIL]) for one in told.lineage],
    )
    html = page_html(evil)
    assert html.count("<script") == 2  # the page's own: its data and what it does
    page = Page(html)
    assert EVIL in page.texts["settings"]
    assert json.loads(page.data)["trained"][0][1] == EVIL


def test_a_control_is_drawn_beside_it(searched: Path, tmp_path: Path) -> None:
    control = tmp_path / "control"
    with Journal.create(control, make_plan(trainings=6, strategy="random", seed=9)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    printed = run_json("report", searched, "--out", tmp_path / "page.html", "--control", control)
    assert len(printed["control"]["fitness"]) == tvnsearch.status(control).trained
    assert printed["control"]["strategy"] == "random"
    page = Page((tmp_path / "page.html").read_text())
    assert f"{control} (random)" in page.texts["course"]


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    told = tvnsearch.report(tmp_path / "run")
    assert told.promise is None
    page = Page((tmp_path / "run" / "report.html").read_text())
    assert "no winner yet" in page.texts["promise"]


def test_ten_thousand_individuals_are_under_three_megabytes(searched: Path) -> None:
    told = run_page(searched)
    points = [replace(told.trained[n % len(told.trained)], number=n, genome=None) for n in range(10_000)]
    kept = sum(len(json.dumps(one.genome, default=str)) for one in told.trained if one.genome is not None)
    assert kept < 500_000
    course = [FitnessAt(n / 100, n, 0.123 + n / 9e4, False, 0.5) for n in range(10_000)]
    met = [Prediction(n, 1.0 + n / 7e3, 0.9, 3.1, 1.1 + n / 8e3) for n in range(12_000)]
    assert told.predictions is not None
    html = page_html(
        replace(
            told,
            trained=points,
            course=replace(told.course, fitness=course),
            predictions=replace(told.predictions, met=met),
        )
    )
    assert len(html.encode()) + 500_000 < 3_000_000


def test_mistakes_are_one_line(searched: Path, tmp_path: Path) -> None:
    assert "nowhere" in refused("report", tmp_path / "nowhere")
    assert "missing" in refused("report", searched, "--out", tmp_path / "missing" / "page.html")
    copy = tmp_path / "copy"
    shutil.copytree(searched, copy)
    assert "nowhere" in refused("report", copy, "--control", tmp_path / "nowhere")
    assert not (copy / "report.html").exists()
