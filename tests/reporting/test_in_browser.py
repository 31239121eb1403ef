"""The page in a real browser: it says nothing on the console, fits its window, and its controls work."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tvnsearch
from tests.search.fakes import FakeFitness, FakeLatency, in_process, make_plan
from tvnsearch.search import Journal, run_search

BROWSER = shutil.which("chromium")
TOUCH = """<script>
const told = {};
const slider = document.getElementById("budget");
slider.value = 400;
slider.dispatchEvent(new Event("input"));
told.answer = document.getElementById("answer").textContent;
told.picked = [...document.querySelectorAll("circle.picked")].map((dot) => Number(dot.dataset.n));
const winner = document.querySelector("#front circle.winner");
winner.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, clientX: 50, clientY: 50 }));
told.tip = document.getElementById("tip").hidden ? "" : document.getElementById("tip").textContent;
winner.dispatchEvent(new MouseEvent("click", { bubbles: true }));
told.beyond = document.documentElement.scrollWidth - innerWidth;
setTimeout(() => {
  told.said = document.getElementById("said").textContent;
  document.title = JSON.stringify(told);
}, 500);
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium")
def test_its_controls_work_at_phone_width(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Journal.create(run, make_plan(trainings=20)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(), in_process(), lambda event: None)
    page = tvnsearch.report(run, out=tmp_path / "page.html")
    assert page.promise is not None
    text = (tmp_path / "page.html").read_text()
    told = _touched(tmp_path, text)

    [data] = re.findall(r'id="data">(.*?)</script>', text)
    scale = json.loads(data)["scale"]
    asked_ms = scale["low"] * (scale["high"] / scale["low"]) ** 0.4
    answer = tvnsearch.pick(run, max_ms=asked_ms)
    assert f"individual {answer.picked.number}: {answer.picked.latency_ms:.2f} ms" in told["answer"]
    assert told["picked"] == [answer.picked.number]
    assert told["tip"].startswith(f"individual {page.promise.number}: ")
    assert page.promise.genome_id in told["tip"]
    assert told["said"] == f"Copied the genome of individual {page.promise.number}."
    assert told["beyond"] <= 0


def _touched(folder: Path, text: str) -> dict[str, Any]:
    (folder / "touched.html").write_text(text.replace("</body>", TOUCH))
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=3000",
            "--window-size=500,900",
            "--dump-dom",
            (folder / "touched.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    [title] = re.findall(r"<title>(\{.*?\})</title>", done.stdout)
    told: dict[str, Any] = json.loads(html.unescape(title))
    return told
