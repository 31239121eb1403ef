from __future__ import annotations

import pytest

from tests.api.watches import Heard
from tvnsearch.api.watching import SILENT, counting


def test_what_is_counted_is_a_share_with_a_note() -> None:
    heard = Heard()
    told = counting(heard.watch, "verify", "networks")
    told(1, 4)
    told(4, 4)
    assert heard.progress == [("verify", 0.25, "1 of 4 networks"), ("verify", 1.0, "4 of 4 networks")]


def test_where_nobody_watches_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    SILENT.say("nothing hears this")
    counting(SILENT, "verify", "networks")(1, 2)
    assert capfd.readouterr() == ("", "")
