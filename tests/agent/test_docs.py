"""The documentation says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashapp.agent.catalog import CATALOG
from dashapp.contract.metrics import MetricInfo

_DOC = (Path(__file__).parents[2] / "docs" / "agent.md").read_text()


@pytest.mark.parametrize("info", CATALOG, ids=lambda info: info.name)
def test_every_metric_is_documented_with_its_unit(info: MetricInfo) -> None:
    assert f"| `{info.name}` | {info.unit} |" in _DOC
    assert info.type == "gauge"
    assert info.description


def test_nothing_is_documented_that_does_not_exist() -> None:
    documented = [line.split("`")[1] for line in _DOC.splitlines() if line.startswith("| `")]
    assert documented == [info.name for info in CATALOG]
