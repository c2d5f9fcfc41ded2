"""One running dashapp for each module, and a client that found it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import dashapp
from dashapp.client import Client
from tests.running import Dashapp, up_anywhere


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Dashapp, Path]]:
    with up_anywhere("--no-agent") as running:
        yield running


@pytest.fixture(scope="module")
def server(running: tuple[Dashapp, Path]) -> Dashapp:
    return running[0]


@pytest.fixture(scope="module")
def data_dir(running: tuple[Dashapp, Path]) -> Path:
    return running[1]


@pytest.fixture(scope="module")
def client(data_dir: Path) -> Iterator[Client]:
    with dashapp.connect(data_dir=data_dir) as client:
        yield client
