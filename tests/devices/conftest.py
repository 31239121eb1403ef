from __future__ import annotations

import pytest

from tvnsearch.devices import Meter, open_device


@pytest.fixture(scope="session")
def meter():
    with Meter(open_device("cpu"), classes=10) as running:
        yield running
