from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashapp.agent.spool import Spool
from tests.agent.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()
