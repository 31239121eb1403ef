from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _state_of_its_own(tmp_path_factory):
    """Tests, and the processes that they start, leave the user's own state alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
