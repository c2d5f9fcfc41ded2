"""``dashapp ingest``: files of samples into a dashapp."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from dashapp.cli.where import ServerDataDir, ServerToken, ServerUrl
from dashapp.errors import DashappError, StartupError, ValidationFailed

if TYPE_CHECKING:
    from rich.progress import Progress

    from dashapp.client import AsyncClient
    from dashapp.client.files import Chunk
    from dashapp.client.forms import Translator

#: Skipped lines that the summary shows.
_SHOWN = 5


@dataclass(frozen=True)
class _Options:
    kind: str | None
    time: str | None
    time_format: str | None
    tags: tuple[str, ...]
    skip_bad: bool
    restart: bool


@dataclass
class _Mark:
    """How far a file has been sent, kept in the user's state directory until it is sent whole. Sending a part twice
    changes nothing, so the mark needn't be exact to the last chunk."""

    size: int = 0
    mtime_ns: int = 0
    offset: int = 0
    line: int = 0
    #: Delimiter and column names of a CSV file.
    header: list[str] | None = None
    #: The `Form` that the first lines showed.
    form: dict[str, Any] | None = None

    @staticmethod
    def place(path: Path, url: str, options: _Options) -> Path:
        import platformdirs

        key = repr((str(path.resolve()), url, options.kind, options.time, options.time_format, options.tags))
        return platformdirs.user_state_path("dashapp") / "ingest" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    @classmethod
    def read(cls, place: Path, path: Path) -> _Mark:
        """The mark that an interrupted run left, if the file is the same still; else a fresh one."""
        import orjson

        found = path.stat()
        try:
            left = cls(**orjson.loads(place.read_bytes()))
        except (OSError, orjson.JSONDecodeError, TypeError):
            left = cls()
        same = (left.size, left.mtime_ns) == (found.st_size, found.st_mtime_ns)
        return left if same else cls(found.st_size, found.st_mtime_ns)

    def write(self, place: Path) -> None:
        import orjson

        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(orjson.dumps(asdict(self)))
        fresh.replace(place)


class _Job:
    """One file on its way."""

    def __init__(self, name: str, client: AsyncClient, options: _Options, progress: Progress) -> None:
        self.name, self._client, self._options, self._progress = name, client, options, progress
        self._skipped: dict[int, str] = {}
        self._samples, self._lines = 0, 0
        self._series: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        self._translator: Translator | None = None

    async def run(self, stream: IO[bytes], mark: _Mark, place: Path | None) -> None:
        from dashapp.client.files import format_of, read
        from dashapp.client.forms import Form, Translator, detect

        began = time.monotonic()
        kind: Any = self._options.kind or format_of(self.name, stream)
        task = self._progress.add_task(self.name, total=mark.size or None, completed=mark.offset if kind != "parquet" else 0)
        if mark.form is not None:
            self._translator = Translator(Form(**{**mark.form, "tags": tuple(mark.form["tags"])}))
            typer.echo(f"{self.name}: goes on after line {mark.line}.", err=True)
        try:
            chunks = read(kind, stream, offset=mark.offset, line=mark.line, header=mark.header)
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                if self._translator is None and chunk.lines.size:
                    options = self._options
                    form = detect(chunk, time=options.time, tags=options.tags, time_format=options.time_format)
                    self._translator = Translator(form)
                await self._send(chunk)
                mark.offset, mark.line, mark.header = chunk.offset, chunk.line, chunk.header
                mark.form = asdict(self._translator.form) if self._translator else None
                if place is not None:
                    await asyncio.to_thread(mark.write, place)
                if kind != "parquet":
                    self._progress.update(task, completed=chunk.offset)
        except ValidationFailed as error:
            raise error if str(error).startswith(f"{self.name}:") else ValidationFailed(f"{self.name}: {error}") from None
        if place is not None:
            await asyncio.to_thread(place.unlink, missing_ok=True)
        self._progress.update(task, total=1, completed=1)
        self._summarise(time.monotonic() - began)

    async def _send(self, chunk: Chunk) -> None:
        if self._translator is None:
            self._note(chunk.bad)
            return
        columns, bad = await asyncio.to_thread(self._translator.columns, chunk)
        first = min(bad, default=None)
        if first is not None and not self._options.skip_bad:
            import numpy as np

            # What stands before the bad line is sent, so that the message's line is where sending ended.
            columns = columns.without(np.flatnonzero(columns.rows >= first).tolist())
        else:
            self._note(bad)
        try:
            self._samples += await self._client.send(columns, refused=self._note if self._options.skip_bad else None)
        except ValidationFailed as error:
            rows: Mapping[int, str] = getattr(error, "rows", {})
            if not rows:
                raise
            first, bad = min(rows), dict(rows)
        if first is not None and not self._options.skip_bad:
            raise ValidationFailed(
                f"{self.name}:{first}: {bad[first].rstrip('.')}. The lines before are sent; mend it, or use --skip-bad."
            )
        self._lines += int(chunk.lines.size)
        self._series.update((name, tuple(tags.items())) for name, tags in columns.series)

    def _note(self, bad: Mapping[int, str]) -> None:
        for line, reason in bad.items():
            self._skipped.setdefault(line, reason)

    def _summarise(self, seconds: float) -> None:
        skipped = f", {len(self._skipped)} lines skipped" if self._skipped else ""
        typer.echo(
            f"{self.name}: {self._samples} samples of {len(self._series)} series from {self._lines} lines"
            f" in {seconds:.1f} s{skipped}."
        )
        for line in sorted(self._skipped)[:_SHOWN]:
            typer.echo(f"  line {line}: {self._skipped[line]}")
        if len(self._skipped) > _SHOWN:
            typer.echo(f"  and {len(self._skipped) - _SHOWN} more")


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with open(name, "rb") as stream:
            yield stream
    except IsADirectoryError:
        raise StartupError(f"{name} is a folder.") from None
    except OSError as error:
        if error.filename != name:
            raise
        raise StartupError(f"{name} can't be read ({error.strerror}).") from None


async def _run(files: list[str], url: str, token: str, options: _Options) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from dashapp.client import AsyncClient

    console = Console(stderr=True)
    async with AsyncClient(url, token, patience_s=60) as client:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for name in files:
                with _opened(name) as stream:
                    mark, place = _Mark(), None
                    if name != "-":
                        place = _Mark.place(Path(name), url, options)
                        if options.restart:
                            place.unlink(missing_ok=True)
                        mark = _Mark.read(place, Path(name))
                    await _Job(name, client, options, progress).run(stream, mark, place)


def ingest(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="CSV, JSON lines or Parquet; - is the standard input.")],
    url: ServerUrl = None,
    token: ServerToken = None,
    data_dir: ServerDataDir = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl or parquet; by the file's ending unless set.", show_default=False)
    ] = None,
    time_column: Annotated[
        str | None, typer.Option("--time", help="Column of the time; timestamp, time, … unless set.", show_default=False)
    ] = None,
    time_format: Annotated[
        str | None, typer.Option("--time-format", help="iso, s, ms, us or ns; looked at unless set.", show_default=False)
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A column that is a tag; several times.", show_default=False)
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad lines out, count them and show the first.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Don't go on where an interrupted run ended.")] = False,
) -> None:
    """Send files of samples. What was interrupted goes on when the same command runs again."""
    if kind not in (None, "csv", "jsonl", "parquet"):
        raise StartupError(f"--format: {kind!r} isn't one of csv, jsonl, parquet.")
    from dashapp.client.where import find

    options = _Options(kind, time_column, time_format, tuple(tag or ()), skip_bad, restart)
    try:
        asyncio.run(_run(files, *find(url, token, data_dir), options))
    except KeyboardInterrupt:
        raise DashappError("interrupted; the same command goes on from here.") from None
