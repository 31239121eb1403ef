"""Settings of a search from a file, from keywords and from the command line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import Any, get_type_hints

import pytest
import typer

from cli.main import app
from tests.api.equipment import Opened
from tests.cli.running import refused, run_json
from tvnsearch.api.dry_run import plan_search
from tvnsearch.api.search_options import SearchOptions
from tvnsearch.data.catalog.address import parse_address
from tvnsearch.errors import UserError
from tvnsearch.search.settings import GROUPS, OPTIONS, Settings, settings_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "search.md").read_text()

CONFIG = """
[budget]
max_ms = 2.0
max_params = 100_000

[device]
db = "{db}"

[search]
space = "digits"
population = 4
tournament = 2
trainings = 8

[training]
data = "{data}"
iterations = 100

[accelerations]
inherit = true

[workforce]
workers = 2
"""


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.chdir(tmp_path)
    return Opened(tmp_path, monkeypatch)


@pytest.fixture
def config(opened: Opened, tmp_path: Path) -> Path:
    options = opened.options()
    path = tmp_path / "plan.toml"
    path.write_text(CONFIG.format(db=options["db"], data=options["data"]))
    return path


def setting(settings: Settings, option: str) -> Any:
    group, name = OPTIONS[option]
    return getattr(getattr(settings, group), name)


def evolve_options() -> dict[str, Any]:
    """What `tvnsearch evolve` takes, by name, with its default."""
    command = typer.main.get_command(app).commands["evolve"]  # type: ignore[attr-defined]
    return {param.name: param for param in command.params}


def test_keywords_have_the_names_and_types_of_the_settings() -> None:
    types = {option: get_type_hints(GROUPS[group])[name] for option, (group, name) in OPTIONS.items()}
    assert get_type_hints(SearchOptions) == types
    assert not SearchOptions.__required_keys__


def test_the_command_line_has_an_option_with_the_same_default_for_every_setting() -> None:
    """But for latencies on other devices, which --max-ms names."""
    options, defaults = evolve_options(), settings_of({"max_ms": 1.0})
    assert set(OPTIONS) - set(options) == {"others_max_ms"}
    for name in OPTIONS.keys() & options.keys() - {"max_ms"}:
        assert options[name].default == setting(defaults, name), name


def test_a_file_is_enough(config: Path) -> None:
    report = plan_search(config=config)
    assert (report.trainings, report.iterations, report.workers) == (8, 100, 2)
    assert report.budget.max_params == 100_000


def test_what_is_given_beside_a_file_wins(config: Path) -> None:
    report = plan_search(config=config, trainings=9, max_params=90_000)
    assert (report.trainings, report.iterations, report.budget.max_params) == (9, 100, 90_000)
    told = run_json("evolve", "--config", config, "--dry-run", "--trainings", 9, "--max-params", "90k")
    assert (told["trainings"], told["iterations"]) == (9, 100)
    assert (told["budget"]["max_ms"], told["budget"]["max_params"]) == (2.0, 90_000)


def test_a_default_that_is_given_beside_a_file_wins_as_well(config: Path) -> None:
    assert run_json("evolve", "--config", config, "--dry-run", "--workers", 1)["workers"] == 1
    assert run_json("evolve", "--config", config, "--dry-run")["workers"] == 2


def test_a_switch_of_a_file_is_taken_back_on_the_command_line(config: Path) -> None:
    assert run_json("evolve", "--config", config, "--dry-run")["accelerations"]["inherit"] is True
    told = run_json("evolve", "--config", config, "--dry-run", "--no-inherit", "--early-stopping")
    assert (told["accelerations"]["inherit"], told["accelerations"]["early_stopping"]) == (False, True)


def test_latencies_of_several_devices_are_given_beside_a_file(config: Path) -> None:
    told = run_json("evolve", "--config", config, "--dry-run", "--max-ms", "cpu=3,nvidia-h200=40")
    assert (told["budget"]["max_ms"], told["budget"]["others_max_ms"]) == (3.0, {"nvidia-h200": 40.0})


def test_the_device_of_a_file_is_the_one_that_max_ms_means(tmp_path: Path) -> None:
    config = tmp_path / "plan.toml"
    config.write_text('[device]\nname = "cuda"\n')
    said = refused("evolve", "--config", config, "--max-ms", "cpu=50")
    assert "expected --max-ms to say once what holds on cuda" in said
    assert "GPU" in refused("evolve", "--config", config, "--max-ms", "cuda=50,cpu=7") or has_gpu()


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budgets]\nmax_ms = 50", "has [budgets], which is none of them"),
        ("[budget]\nmax_ns = 50", "has budget.max_ns, which is none of them"),
        ('[budget]\nmax_ms = "fast"', "expected budget.max_ms to be `float`, but got `str`; correct it"),
        (
            "[budget]\nmax_ms = 50\n[search]\ntrainings = 1.5",
            "expected search.trainings to be `int`, but got `float`",
        ),
        ("[budget]\nmax_ms = 50\n[search]\ntrainings = 0", "expected trainings of at least 1, but got 0"),
        ("[budget]\nmax_ms = 50\n[device]\nlevel = 2.0", "expected a level of 0.5 to 0.999, but got 2.0"),
        ("max_ms = 50", "has max_ms outside of them; write it under [budget]"),
        ("search = 3", "has search outside of them; write [search] above its settings"),
        ("[search]\ntrainings = 5", "expected a budget, but no max_ms came; say --max-ms 50"),
        ("[budget\n", "expected a TOML file with a plan, but"),
    ],
)
def test_a_mistake_in_a_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "plan.toml"
    config.write_text(text)
    assert said in refused("evolve", "--config", config)


def test_without_a_budget_there_is_no_search(tmp_path: Path) -> None:
    assert "say --max-ms 50, or write it into [budget]" in refused("evolve")
    assert "No such file" in refused("evolve", "--config", tmp_path / "plan.toml")


def test_the_documented_example_is_one(tmp_path: Path) -> None:
    """It says every group, and nothing that is no setting."""
    [block] = re.findall(r"^    \[budget\]\n(?:(?:    .*)?\n)+", DOCUMENT, re.MULTILINE)
    example = dedent(block)
    (tmp_path / "plan.toml").write_text(example)
    settings = settings_of({}, tmp_path / "plan.toml")
    assert settings.budget.max_ms == 50
    assert settings.training.data is not None
    with pytest.raises(UserError, match="expected a folder of clips"):  # the format is one that is known
        parse_address(settings.training.data)
    tables = tomllib.loads(example)
    given = {(group, name) for group, fields in tables.items() for name in fields}
    assert given == set(OPTIONS.values())


def test_every_setting_is_documented_with_its_default_and_its_option() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*?) \| `(--[\w-]+)(?: .*?)?` \|", DOCUMENT, re.MULTILINE)
    documented = {(group, name): (default, option) for group, name, default, option in rows}
    defaults = settings_of({"max_ms": 1.0})
    assert set(documented) == set(OPTIONS.values())
    for option, (group, name) in OPTIONS.items():
        default, flag = documented[group, name]
        assert flag == ("--max-ms" if option == "others_max_ms" else f"--{option.replace('_', '-')}")
        if option != "max_ms":
            assert default == written(setting(defaults, option)), option


def written(value: Any) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value}`" if isinstance(value, str) else f"{value:,}"
