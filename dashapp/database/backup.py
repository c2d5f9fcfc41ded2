"""Backups by PostgreSQL's own ``pg_dump`` and ``pg_restore``, in its custom format: one file, of one moment, while dashapp runs.

A restore is all or nothing. An empty database is filled in one transaction; one that holds something is replaced by a
second one, filled beside it, in one transaction that swaps their names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.engine import make_url

from dashapp.database import migrate
from dashapp.database.embedded import wheel_installation
from dashapp.errors import StartupError

#: Databases beside the one that is replaced: the new one while it is filled, and the old one until it is dropped.
_RESTORING, _REPLACED = "_restoring", "_replaced"


@dataclass(frozen=True)
class Archive:
    """What a backup says of itself."""

    path: Path
    #: Major versions of PostgreSQL: of the server that it was made from and of the ``pg_dump`` that made it.
    server: int
    tool: int
    #: Needs the extension, in this tier.
    timescaledb: bool


# -- the two things to do ----------------------------------------------------------------------------------------------


def backup(url: str, path: Path) -> int:
    """Write the database at `url` to a new file and answer its size in bytes. A file that is there is whole.

    Raises:
        StartupError: the database can't be reached, the file exists or can't be written, or there is no fitting ``pg_dump``.
    """
    if path.exists():
        raise StartupError(f"{path} exists already; name a file that doesn't.")
    with _connected(url) as connection:
        if connection.execute("SELECT to_regclass('public.alembic_version')").fetchone() == (None,):
            raise StartupError(f"the database {migrate.masked(url)} holds nothing of dashapp; there is nothing to back up.")
        server = connection.info.server_version // 10_000
    tool = _tool("pg_dump", server, f"a server of PostgreSQL {server}")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # It holds hashes of passwords and everybody's dashboards: nobody else's business.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _run(tool, url, "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
        with part.open("rb") as written:
            os.fsync(written.fileno())
        size = part.stat().st_size
        os.link(part, path)
    except FileExistsError:
        raise StartupError(f"{path} exists already; name a file that doesn't.") from None
    except OSError as error:
        raise StartupError(f"{path} can't be written ({error.strerror}).") from None
    finally:
        part.unlink(missing_ok=True)
    return size


def restore(url: str, path: Path, *, replace: bool = False) -> None:
    """Bring a backup into the database at `url` and its schema to the newest. Where this fails the database is as before.

    Sessions and sign-in links stay behind: some of them were ended after the backup was made.

    Raises:
        StartupError: the file is no backup of dashapp's, the database isn't empty (and `replace` isn't set) or is being
            served, versions don't fit, or PostgreSQL refuses.
    """
    archive = read(path)
    with _connected(url) as connection:
        _check_target(connection, archive, url, replace)
        empty = _is_empty(connection)
    tool = _tool("pg_restore", archive.tool, f"a backup that pg_dump {archive.tool} made")
    migrate.refuse_newer(_revision(tool, path))
    if empty:
        _fill(tool, url, archive)
        return
    with _beside(url) as fresh:
        _fill(tool, fresh, archive)


# -- looking before ----------------------------------------------------------------------------------------------------


def read(path: Path) -> Archive:
    """
    Raises:
        StartupError: it can't be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            known = file.read(5) == b"PGDMP"
    except OSError as error:
        raise StartupError(f"{path} can't be read ({error.strerror}).") from None
    if not known:
        raise StartupError(f"{path} is no backup; dashapp backup makes them.")
    newest = max(_candidates("pg_restore"), default=None)
    if newest is None:
        raise StartupError(_missing("pg_restore", "this backup"))
    done = subprocess.run([str(newest[1]), "--list", str(path)], capture_output=True, text=True, check=False)
    versions = dict(re.findall(r"^; +Dumped (from database|by pg_dump) version: (\d+)", done.stdout, re.MULTILINE))
    if done.returncode or len(versions) != 2:
        raise StartupError(f"{path} can't be read by pg_restore {newest[0]} ({_reason(done.stderr)}).")
    if not re.search(r" TABLE public alembic_version ", done.stdout):
        raise StartupError(f"{path} is a backup of another program's database.")
    timescaledb = re.search(r" EXTENSION - timescaledb ", done.stdout) is not None
    return Archive(path, int(versions["from database"]), int(versions["by pg_dump"]), timescaledb)


def _check_target(connection: psycopg.Connection[tuple[object, ...]], archive: Archive, url: str, replace: bool) -> None:
    name = migrate.masked(url)
    server = connection.info.server_version // 10_000
    if server < archive.server:
        raise StartupError(
            f"{archive.path} comes from PostgreSQL {archive.server} and {name} is PostgreSQL {server}; "
            f"restore it into {archive.server} or newer."
        )
    serving = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dashapp'"
    ).fetchone()
    # A server that goes on would write samples under the series numbers that it remembers.
    if serving != (0,):
        raise StartupError(f"a dashapp serves from {name}; stop it before you restore.")
    if not replace and not _is_empty(connection):
        raise StartupError(f"{name} isn't empty; give an empty database, or --replace to lose what is in it.")


def _is_empty(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') "
        "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    ).fetchone()
    return row == (0,)


def _revision(tool: Path, path: Path) -> str | None:
    """The schema's revision in a backup."""
    command = [str(tool), "--data-only", "--schema=public", "--table=alembic_version", "--file=-", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"^COPY public\.alembic_version .*;\n(.+)$", done.stdout, re.MULTILINE)
    return found[1] if found else None


# -- filling -----------------------------------------------------------------------------------------------------------


def _fill(tool: Path, url: str, archive: Archive) -> None:
    """Fill an empty database."""
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    if not archive.timescaledb:
        _run(tool, url, *options, str(archive.path))
    else:
        # TimescaleDB's own catalogue comes back as rows; between these two it doesn't mind.
        _execute(url, "CREATE EXTENSION IF NOT EXISTS timescaledb")
        _execute(url, "SELECT timescaledb_pre_restore()")
        try:
            _run(tool, url, *options, str(archive.path))
        finally:
            _execute(url, "SELECT timescaledb_post_restore()")
    _execute(url, "TRUNCATE sessions, signin_links")
    migrate.migrate(url)


@contextmanager
def _beside(url: str) -> Iterator[str]:
    """An empty database that takes the place of the one at `url` when the block ends well, and is gone when it doesn't.

    Raises:
        StartupError: this user may not make databases.
    """
    name = str(make_url(url).database)
    fresh, old = name + _RESTORING, name + _REPLACED
    around = _named(url, "postgres")

    def drop(database: str) -> sql.Composed:
        return sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database))

    _execute(around, drop(fresh))  # of a restore that was killed
    _execute(around, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(fresh)))
    try:
        yield _named(url, fresh)
        with _connected(around, autocommit=False) as connection, _refused():
            for before, after in ((name, old), (fresh, name)):
                connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(before), sql.Identifier(after)))
            connection.commit()
    except BaseException:
        with suppress(StartupError):
            _execute(around, drop(fresh))
        raise
    _execute(around, drop(old))


def _named(url: str, database: str) -> str:
    """The same server's `database`."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


# -- PostgreSQL's programs ---------------------------------------------------------------------------------------------


def _candidates(name: str) -> list[tuple[int, Path]]:
    """The programs of this name and their major versions: the embedded server's, and the system's."""
    paths = []
    with suppress(StartupError):
        paths.append(wheel_installation() / "bin" / name)
    if found := shutil.which(name):
        paths.append(Path(found))
    known = []
    for path in paths:
        with suppress(OSError):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
            if version := re.search(r"\) (\d+)", said):
                known.append((int(version[1]), path))
    return known


def _tool(name: str, least: int, what: str) -> Path:
    """The oldest that is new enough: newer ones write what older servers don't understand."""
    fitting = [candidate for candidate in _candidates(name) if candidate[0] >= least]
    if not fitting:
        raise StartupError(_missing(name, what, least))
    return min(fitting, key=lambda candidate: candidate[0])[1]


def _missing(name: str, what: str, least: int | None = None) -> str:
    found = ", ".join(str(version) for version, _ in _candidates(name))
    there = f"{name} {found} is too old" if found else f"there is no {name} on this machine"
    return f"{there} for {what}; install the client programs of PostgreSQL{f' {least} or newer' if least else ''}."


def _run(tool: Path, url: str, *arguments: str) -> None:
    """Run a program on the database. Its password goes where `ps` can't see it."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    environment = dict(os.environ) | ({"PGPASSWORD": str(password)} if password else {})
    connection = make_conninfo("", **parts)
    done = subprocess.run(
        [tool, f"--dbname={connection}", "--no-password", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StartupError(f"{tool.name} failed: {_reason(done.stderr)}.")


def _reason(said: str) -> str:
    lines = (
        [line for line in said.strip().splitlines() if "error:" in line.lower()] or said.strip().splitlines() or ["no reason given"]
    )
    return re.sub(r"^pg_\w+: (error: )?", "", lines[0]).rstrip(".")


@contextmanager
def _connected(url: str, *, autocommit: bool = True) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    migrate.sqlalchemy_url(url)
    try:
        connection = psycopg.connect(url, autocommit=autocommit, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise migrate.unreachable(url, error) from None
    with connection:
        yield connection


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise StartupError(f"the database refuses: {str(error).strip().splitlines()[0].rstrip('.')}.") from None


def _execute(url: str, statement: str | sql.Composed) -> None:
    with _connected(url) as connection, _refused():
        connection.execute(statement)
