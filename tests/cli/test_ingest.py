"""Files into a running dashapp."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from dashapp.client import Client

NOW = datetime.now(UTC).replace(microsecond=0, second=0)


@pytest.fixture
def ingest(data_dir: Path, tmp_path: Path):
    def run(*arguments: object, stdin: bytes = b"") -> tuple[int, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DASHAPP_")}
        done = subprocess.run(
            [sys.executable, "-m", "dashapp", "ingest", "--data-dir", str(data_dir), *map(str, arguments)],
            input=stdin, capture_output=True, timeout=60, env=environment | {"XDG_STATE_HOME": str(tmp_path / "state")},
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).decode()

    return run


def _at(minutes: float) -> datetime:
    return NOW - timedelta(minutes=60 - minutes)


def _values(client: Client, name: str, **options: object) -> list[float]:
    # In steps below a minute raw samples answer, which are there at once; rollups follow late points within 30 s.
    table = client.query(name, last="2h", step="10s", fresh=True, **options)  # type: ignore[arg-type]
    return table.iloc[:, 0].tolist() if table.shape[1] else []


def test_csv_wide_with_tags(ingest, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    lines = [f"{_at(n).isoformat()};{'ab'[n % 2]};{n};{n / 2 if n else ''}" for n in range(10)]
    file.write_text("\n".join(["\ufefftime;host;w.one;w.two", *lines]))
    code, said = ingest(file, "--tag", "host")
    assert (code, said.split(" in ")[0]) == (0, f"{file}: 19 samples of 4 series from 10 lines")
    assert _values(client, "w.one", tags={"host": "a"}) == [0, 2, 4, 6, 8]
    assert _values(client, "w.two") == [n / 2 for n in range(1, 10)]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_json_lines_long_with_unix_times(ingest, client: Client, tmp_path: Path, unit: str, factor: float) -> None:
    file = tmp_path / "long.jsonl"
    points = [
        {"name": f"l.{unit}", "value": n, "timestamp": int(_at(n).timestamp()) * int(factor), "tags": {"k": "v"}} for n in range(5)
    ]
    file.write_text("\n\n".join(map(json.dumps, points)) + "\n")
    code, said = ingest(file)
    assert code == 0, said
    assert "5 samples of 1 series" in said
    assert _values(client, f"l.{unit}") == [0, 1, 2, 3, 4]
    assert client.tags(f"l.{unit}") == {"k": ["v"]}


def test_parquet(ingest, client: Client, tmp_path: Path) -> None:
    frame = pd.DataFrame({"timestamp": [_at(n) for n in range(6000)][:50], "p.x": range(50), "room": ["hall"] * 50})
    frame.to_parquet(tmp_path / "x.parquet")
    code, said = ingest(tmp_path / "x.parquet", "--tag", "room")
    assert code == 0, said
    assert _values(client, "p.x", tags={"room": "hall"}) == list(range(50))


def test_standard_input(ingest, client: Client) -> None:
    lines = "".join(f"{_at(n).isoformat()},std.in,{n},{'x' if n else ''}\n" for n in range(3))
    code, said = ingest("-", stdin=f"timestamp,name,value,why\n{lines}".encode())
    assert code == 0, said
    assert client.tags("std.in") == {"why": ["x"]}
    code, said = ingest("-", stdin=json.dumps({"time": _at(1).isoformat(), "std.json": 4}).encode())
    assert code == 0, said
    assert _values(client, "std.json") == [4]


def test_a_bad_line_stops_or_is_skipped(ingest, client: Client, tmp_path: Path) -> None:
    good = [f"{_at(n).isoformat()},{n}" for n in range(6)]
    bad = [f"{_at(7).isoformat()},much", "yesterday,1", f"{_at(8).isoformat()}", f"{_at(9).isoformat()},1e300", "2001-01-01,1"]
    file = tmp_path / "bad.csv"
    file.write_text("\n".join(["time,bad.x", *good[:4], *bad, *good[4:]]) + "\n")
    code, said = ingest(file)
    assert code == 1
    assert f"dashapp: {file}:6: bad.x: 'much' is no number. The lines before are sent" in said
    assert _values(client, "bad.x") == [0, 1, 2, 3]
    code, said = ingest(file, "--skip-bad")
    assert code == 0, said
    assert "6 samples of 1 series" in said
    assert "5 lines skipped" in said
    assert "line 7: time: 'yesterday' is no ISO 8601 time" in said
    assert "line 8: 1 fields where the header has 2" in said
    assert "line 10: timestamp: " in said, "what only the server knows"
    assert _values(client, "bad.x") == [0, 1, 2, 3, 4, 5]


def test_an_interrupted_file_goes_on(ingest, client: Client, tmp_path: Path) -> None:
    lines = [f"{round(_at(0).timestamp() * 1000) + 250 * n},{n}" for n in range(7000)]
    lines[6000] = "1,2,3"
    file = tmp_path / "big.csv"
    file.write_text("\n".join(["ts,on.x", *lines]) + "\n")
    code, said = ingest(file)
    assert code == 1
    assert f"{file}:6002: 3 fields" in said
    code, said = ingest(file, "--skip-bad")
    assert code == 0, said
    assert f"{file}: goes on after line 5001." in said
    assert "1999 samples of 1 series" in said
    assert client.query("on.x", last="3h", aggregation="count", step="10s").sum().item() == 6999
    code, said = ingest(file, "--skip-bad")
    assert "goes on" not in said, "a file that was sent whole leaves no mark"
    file.write_text("ts,on.x\n")
    assert ingest(file)[0] == 0


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("a,b\n1,2\n", [], "no column for the time (timestamp, time, datetime, date, ts); name it with --time; there are a, b."),
        ("time,my metric\n2026-01-01,2\n", [], "column 'my metric' is no metric"),
        ("time,x\n2026-01-01,2\n", ["--tag", "host"], "no column 'host' for a tag"),
        ("", [], "the file is empty"),
        ("time,x\n2026-01-01,2\n", ["--time-format", "week"], "isn't one of iso, s, ms, us, ns"),
        ("PAR0", ["--format", "parquet"], "no Parquet file"),
        (
            f"time,x\n{int(_at(0).timestamp())},2\n1790000001000,3\n{int(_at(1).timestamp())},3\n",
            [],
            "3: time: 1790000001000 s isn't before 2100",
        ),
    ],
    ids=["no time", "no metric's name", "no tag", "empty", "unknown format", "no Parquet", "another unit"],
)
def test_what_cannot_be_read_is_said(ingest, tmp_path: Path, text: str, options: list[str], says: str) -> None:
    file = tmp_path / "f.csv"
    file.write_text(text)
    code, said = ingest(file, *options)
    assert code == 1
    assert says in said
    assert "Traceback" not in said


def test_files_that_are_not_there(ingest, tmp_path: Path) -> None:
    assert ingest(tmp_path / "none.csv") == (2, f"dashapp: {tmp_path}/none.csv can't be read (No such file or directory).\n")
    assert ingest(tmp_path) == (2, f"dashapp: {tmp_path} is a folder.\n")
