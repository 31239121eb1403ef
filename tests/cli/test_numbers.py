"""Numbers on the command line: how they may be written, and what is refused before anything begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.numbers import parse_count, parse_max_ms
from tests.cli.running import refused
from tvnsearch.errors import UserError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("12M", 12_000_000),
        ("1.5e7", 15_000_000),
        ("1.5E+7", 15_000_000),
        ("1e1", 10),
        ("12_000_000", 12_000_000),
        ("12,000,000", 12_000_000),
        ("800 k", 800_000),
        ("0.29k", 290),
        (" 7 ", 7),
    ],
)
def test_a_count_is_read_in_the_ways_that_people_write_it(text: str, count: int) -> None:
    assert parse_count(text, "--max-params") == count


@pytest.mark.parametrize(
    "text",
    ["1,5", "1,5M", "12,00", "1,000,00", "12,000_000", "1,500k", "0", "0.2", "-3", "inf", "nan", "1e-3", ""],
)
def test_what_is_no_count_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected --max-params to be a number of 1 or more like 12M"):
        parse_count(text, "--max-params")


@pytest.mark.parametrize("text", ["12,5", "cpu=12,5", "1,234.5", "cpu=50,nvidia-h200=10,5"])
def test_a_decimal_comma_is_answered_by_the_point_that_is_expected(text: str) -> None:
    assert f"expected --max-ms with a decimal point, like 12.5 or cpu=12.5, but got '{text}'" in refused(
        "evolve", "--max-ms", text
    )


@pytest.mark.parametrize(
    "command",
    [("profile", "--max-ms"), ("evolve", "--minutes"), ("evolve", "--max-gflops"), ("scale", "--width")],
)
def test_a_decimal_comma_is_named_wherever_a_number_is_wanted(command: tuple[str, str]) -> None:
    line = refused(*command, "12,5")
    assert "but got '12,5' with a comma in place of a decimal point; see" in line


@pytest.mark.parametrize("number", ["inf", "1e999"])
def test_what_is_predicted_is_held_against_a_budget_that_ends(number: str) -> None:
    line = refused("predict", "tvn-1", "--max-ms", number)
    assert "expected --max-ms over 0 that has an end, but got inf; give another number" in line


def test_a_comma_stands_between_devices() -> None:
    assert parse_max_ms("12.5,nvidia-h200=10", "cpu") == (12.5, {"nvidia-h200": 10.0})
    assert parse_max_ms("1e1", "cpu") == (10.0, {})


@pytest.mark.parametrize("number", ["inf", "nan", "-inf", "0", "-1", "1e999"])
@pytest.mark.parametrize("option", ["--max-ms", "--max-gflops", "--max-mb", "--minutes"])
def test_a_search_is_asked_for_in_numbers_that_have_an_end(option: str, number: str, tmp_path: Path) -> None:
    words = [] if option == "--max-ms" else ["--max-ms", 50]
    said = refused("evolve", *words, option, number, "--run", tmp_path / "run")
    assert "expected a budget" in said or "expected more than 0 minutes" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--trainings", "expected trainings of at most 9,007,199,254,740,992, but got 1"),
        ("--population", "expected population of at most 9,007,199,254,740,992, but got 1"),
        ("--iterations", "expected iterations of at most 9,007,199,254,740,992, but got 1"),
        ("--max-params", "expected a budget that ends, but got 1"),
    ],
)
def test_a_count_beyond_all_that_could_be_meant_is_refused(
    option: str, sentence: str, tmp_path: Path
) -> None:
    assert sentence in refused("evolve", "--max-ms", 50, option, 10**30, "--run", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--max-ms", "--minutes"])
@pytest.mark.parametrize("number", ["inf", "nan"])
def test_a_profile_has_an_end(option: str, number: str, tmp_path: Path) -> None:
    said = refused("profile", option, number, "--db", tmp_path / "latency.sqlite")
    assert f"expected {option}" in said
    assert not (tmp_path / "latency.sqlite").exists()


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
@pytest.mark.parametrize(
    "command",
    [
        ("evolve", "--max-ms", 50, "--run", "made"),
        ("profile", "--db", "made"),
        ("fit", "--db", "made"),
        ("sample", "--out", "made"),
        ("train", "tvn-1", "--data", "clips", "--out", "made"),
        ("data", "generate", "--out", "made"),
    ],
    ids=lambda words: " ".join(map(str, words[:2])),
)
def test_a_seed_that_no_generator_takes_begins_nothing(
    command: tuple[object, ...], seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(*command, "--seed", seed)
    assert f"expected --seed to be a whole number of 0 to 4294967295, but got '{seed}'" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_a_seed_of_a_split_is_held_to_the_same(seed: int) -> None:
    said = refused("data", "inspect", "clips", "--split-seed", seed)
    assert f"expected --split-seed to be a whole number of 0 to 4294967295, but got '{seed}'" in said
