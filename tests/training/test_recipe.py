from __future__ import annotations

import msgspec
import pytest

from tvnsearch.errors import UserError
from tvnsearch.training.recipe import PRESETS, Recipe, load_recipe


@pytest.mark.parametrize(
    "wrong",
    [{"iterations": 0}, {"batch_size": 1}, {"learning_rate": -1.0}, {"optimizer": "lion"}, {"epochs": 3}],
)
def test_a_recipe_refuses_what_makes_no_sense(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Recipe)


def test_presets(tmp_path):
    recipes = {name: load_recipe(name) for name in PRESETS}
    assert recipes["paper"] == Recipe()
    assert (recipes["paper"].iterations, recipes["paper"].dropout) == (10_000, 0.5)
    assert recipes["quick"].iterations < 10_000


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('optimizer = "sgd"\naverage_decay = 0.999\n')
    assert load_recipe(str(path)) == Recipe(optimizer="sgd", average_decay=0.999)


def test_what_is_no_recipe(tmp_path):
    with pytest.raises(UserError, match=r"paper, quick.*'slow'"):
        load_recipe("slow")
    path = tmp_path / "wrong.toml"
    for text, place in (("iterations = 0", r"\$\.iterations"), ("epochs = 3", "epochs"), ("= 1", "wrong")):
        path.write_text(text)
        with pytest.raises(UserError, match=place):
            load_recipe(str(path))
