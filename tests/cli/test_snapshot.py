"""``dashapp snapshot`` against a running dashapp."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dashapp.client import Client
from dashapp.errors import ValidationFailed
from tests.running import Running


def _run(data_dir: Path, *arguments: str) -> tuple[int, str]:
    return Running("snapshot", *arguments, "--data-dir", str(data_dir)).ended()


def test_the_command_writes_the_file_whole(data_dir: Path, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("yesterday's")
    code, said = _run(data_dir, "This host", "-o", str(file), "--from", "now-6h")
    assert (code, said) == (0, f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    assert "<title>This host · " in file.read_text()
    assert list(tmp_path.iterdir()) == [file], "nothing else is left"
    dashboard = client.dashboard("This host")
    code, _ = _run(data_dir, str(dashboard.id), "--output", str(file), "--from", "2026-01-01", "--to", "2026-01-02")
    assert code == 0
    assert "<title>This host · 2026-01-01 00:00 – 2026-01-02 00:00 UTC" in file.read_text()


def test_what_is_wrong_is_one_sentence_and_the_old_file_stays(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("yesterday's")
    assert _run(data_dir, "Nowhere", "-o", str(file)) == (1, "dashapp: 'Nowhere' names no dashboard.")
    code, said = _run(data_dir, "This host", "-o", str(file), "--from", "yesterday")
    assert code == 1
    assert "'yesterday' is no time" in said
    assert file.read_text() == "yesterday's"
    code, said = _run(data_dir, "This host", "-o", str(tmp_path / "no" / "where.html"))
    assert (code, said) == (2, f"dashapp: {tmp_path / 'no' / 'where.html'} can't be written (No such file or directory).")


def test_the_client_answers_the_file(client: Client) -> None:
    started = time.monotonic()
    content = client.snapshot("This host", last="1h")
    assert content.startswith(b"<!doctype html>")
    assert time.monotonic() - started < 10
    with pytest.raises(ValidationFailed) as failure:
        client.snapshot("This host", start="now", end="now-1h")
    assert list(failure.value.details) == ["from"]


_HOSTS = """name: Hosts
variables: [{name: host, values: [a, b, c], multi: true, default: [c]}]
panels: [{title: On $host, type: text, options: {content: All is well.}}]
"""


def test_variables_are_chosen_and_else_as_the_default_has_them(data_dir: Path, client: Client, tmp_path: Path) -> None:
    client.put_dashboard(_HOSTS)
    file = tmp_path / "report.html"
    for chosen, shown in ((["host=b", "host=a"], "On a, b"), (["host=$__all"], "On all"), ([], "On c")):
        code, said = _run(data_dir, "Hosts", "-o", str(file), *(part for one in chosen for part in ("--var", one)))
        assert code == 0, said
        assert f">{shown}<" in file.read_text()
    assert b">On b<" in client.snapshot("Hosts", variables={"host": "b"})
    assert b">On a, b<" in client.snapshot("Hosts", variables={"host": ["a", "b"]})
    with pytest.raises(ValidationFailed, match=r"^'hots' is no variable of this dashboard; it has host\.$"):
        client.snapshot("Hosts", variables={"hots": ["a"]})
    assert _run(data_dir, "Hosts", "-o", str(file), "--var", "host") == (
        2, "dashapp: --var host: write a variable and its value, such as host=a.",
    )  # fmt: skip
    assert f">{shown}<" in file.read_text(), "the old file stays"
