from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import asdict

from tvnsearch.errors import UserError
from tvnsearch.training.recipe import PRESETS, Recipe, load_recipe


@pytest.mark.parametrize(
    "wrong",
    [
        {"iterations": 0},
        {"batch_size": 1},
        {"learning_rate": -1.0},
        {"learning_rate": float("inf")},
        {"optimizer": "lion"},
        {"epochs": 3},
        {"rand_augment_operations": -1},
        {"rand_augment_operations": 1.5},
        {"rand_augment_magnitude": 11.0},
        {"erasing_share": 1.5},
        {"mixup_alpha": -0.1},
        {"mixup_alpha": float("nan")},
        {"cutmix_alpha": -1.0},
        {"sampling": "balanced"},
        {"mirror": True},
        {"mirror": "sometimes"},
        {"class_weights": "inverse"},
        {"sampling": "classes", "class_weights": "inverse_frequency"},
        {"teacher_weight": 1.1},
        {"teacher_temperature": 0.0},
        {"grw_weight": -1.0},
        {"grw_frames": 2},
        {"grw_frames": 8},
        {"grw_velocity": float("inf")},
    ],
)
def test_a_recipe_refuses_what_makes_no_sense(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Recipe)


def test_presets(tmp_path):
    recipes = {name: load_recipe(name) for name in PRESETS}
    assert recipes["paper"] == Recipe()
    assert (recipes["paper"].iterations, recipes["paper"].dropout) == (10_000, 0.5)
    assert recipes["quick"].iterations < 10_000
    for recipe in recipes.values():
        assert (recipe.rand_augment_operations, recipe.erasing_share, recipe.grw_weight) == (0, 0.0, 0.0)
        assert (recipe.mixup_alpha, recipe.cutmix_alpha) == (0.0, 0.0)
        assert (recipe.sampling, recipe.class_weights, recipe.mirror) == ("clips", "equal", "auto")


def test_the_documents_table_has_every_key_with_its_default():
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    section = text.partition("\n## Recipes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \| (.*?) \|", section, re.MULTILINE)
    told = {}
    for names, defaults in rows:
        told |= dict(zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=True))
    plain = asdict(Recipe())
    assert told.keys() == plain.keys()
    for key, value in plain.items():
        assert told[key] == ("none" if value is None else msgspec.json.encode(value).decode())


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('optimizer = "sgd"\naverage_decay = 0.999\n')
    assert load_recipe(str(path)) == Recipe(optimizer="sgd", average_decay=0.999)


def test_what_is_no_recipe(tmp_path):
    with pytest.raises(UserError, match=r"paper, quick.*'slow'"):
        load_recipe("slow")
    path = tmp_path / "wrong.toml"
    for text, place in (
        ("iterations = 0", r"\$\.iterations"),
        ("epochs = 3", "epochs"),
        ("= 1", "wrong"),
        ("mixup_alpha = -1", r"\$\.mixup_alpha"),
        ("grw_weight = nan", "grw_weight"),
        ('sampling = "classes"\nclass_weights = "inverse_frequency"', "count them twice; leave one out"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=place):
            load_recipe(str(path))
