"""What is not the same on a machine that joins."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from tvnsearch.errors import UserError
from tvnsearch.search.executors import versions
from tvnsearch.search.executors.versions import check_versions, versions_here


def test_the_same_versions_pass_whatever_torch_was_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = ({"torch": f"2.9.1{build}", "tvnsearch": "0.1.0"} for build in ("+cpu", "+cu130"))
    monkeypatch.setattr(versions, "version", cuda.__getitem__)
    there = versions_here()
    monkeypatch.setattr(versions, "version", cpu.__getitem__)
    check_versions(there, "gpu-7")


@pytest.mark.parametrize("name", ["tvnsearch", "torch", "Python"])
def test_another_version_is_a_sentence_with_both_and_the_machine(name: str) -> None:
    ours = versions_here()
    with pytest.raises(UserError) as refused:
        check_versions(ours | {name: "0.0.7"}, "gpu-7 (Ray node 3f2a)")
    sentence = str(refused.value)
    assert sentence.startswith(f"expected {name} {ours[name]} on gpu-7 (Ray node 3f2a)")
    assert "it has 0.0.7;" in sentence


def test_versions_are_those_that_are_installed() -> None:
    here = versions_here()
    assert version("torch").startswith(here["torch"])
    assert here["Python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
