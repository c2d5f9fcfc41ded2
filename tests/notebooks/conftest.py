"""One running dashapp for all tests of notebooks, a client of it, and a browser's context as the tests of pages have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import dashapp
from dashapp.client import Client
from tests.pages.conftest import anonymous, chromium
from tests.running import up_anywhere

__all__ = ["anonymous", "chromium"]


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    with up_anywhere("--no-agent") as (_, directory):
        yield directory


@pytest.fixture(scope="session")
def client(data_dir: Path) -> Iterator[Client]:
    with dashapp.connect(data_dir=data_dir) as client:
        yield client
