"""The online copy of a cluster: PostgreSQL's low-level backup API, with a copy in the kernel per file.

It does what `pg_basebackup` does, without sending every byte through a socket, and where the file
system can share blocks between files (Btrfs, XFS) the kernel does so: there bytes cost nothing.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg

from infra.disk import disk_full_translated
from infra.local.errors import CopyError
from infra.local.home import Home

if TYPE_CHECKING:
    from infra.local.postgres import PostgresCluster

#: Folders whose content is a server's own or made anew at its start (PostgreSQL's manual, "Making a
#: Base Backup Using the Low Level API"); of the log in `pg_wal` a part is copied at the end.
_EMPTIED: Final = frozenset(
    {"dynshmem", "notify", "replslot", "serial", "snapshots", "stat_tmp", "subtrans", "wal"}
)
_LEFT_OUT: Final = frozenset({"postmaster.pid", "postmaster.opts", "pg_internal.init"})
#: Folders for the files of queries that run: the next start would delete them.
_TEMPORARY: Final = "pgsql_tmp"
_CONTROL: Final = Path("global", "pg_control")
#: A kernel says so where it cannot copy by itself.
_CANNOT: Final = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
#: Bytes copied by one call.
_CHUNK: Final = 64 * 1024 * 1024


def online_copy(source: PostgresCluster, folder: Path) -> None:
    """Copy a running cluster, as it is when the copy ends, while it goes on serving writes.

    The copy is not flushed to the disk: the server does that at its first start, as after a crash.

    Args:
        source: Runs; its superuser's password is the copy's too.
        folder: For the copy's `PostgresCluster`; without data, which is there only when complete.

    Raises:
        CopyError: The source has tablespaces, or ended meanwhile.
        DiskFullError: The disk is full.
    """
    target = Home.of(folder)
    new = target.path / "data.new"
    with disk_full_translated(target.path):
        if new.exists():
            shutil.rmtree(new)
        try:
            with psycopg.connect(source.superuser_url().libpq(), autocommit=True) as connection:
                _backup(connection, source.data, new, target)
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            raise CopyError(f"the copy was not finished: {reason}", hint="try again") from error
        target.write_private("superuser", source.superuser_password())
        new.rename(target.path / "data")


def _backup(connection: psycopg.Connection, source: Path, new: Path, target: Home) -> None:
    (tablespaces,) = _row(
        connection,
        "SELECT string_agg(spcname, ', ') FROM pg_tablespace"
        " WHERE spcname NOT IN ('pg_default', 'pg_global')",
    )
    if tablespaces:
        raise CopyError(
            f"a branch with tablespaces cannot be copied, and this one has {tablespaces}",
            hint="move what they hold to pg_default, and drop them",
        )
    label = f"bough_copy_{secrets.token_hex(8)}"
    # Keeps all log from here on; it ends with the connection, whatever ends that.
    _row(connection, "SELECT pg_create_physical_replication_slot(%s, true, true)", label)
    (start,) = _row(connection, "SELECT pg_backup_start(%s, fast => true)", label)
    _copy_data(source, new, target)
    first, last, backup_label = _row(
        connection,
        "SELECT pg_walfile_name(%s), pg_walfile_name(lsn), labelfile"
        " FROM pg_backup_stop(wait_for_archive => false)",
        start,
    )
    for segment in sorted((source / "pg_wal").iterdir()):
        if first <= segment.name <= last:
            _copy_file(segment, new / "pg_wal" / segment.name, target)
    target.write_private(f"{new.name}/backup_label", backup_label)


def _copy_data(source: Path, new: Path, target: Home) -> None:
    for name, folders, files in os.walk(source, onerror=_unless_dropped):
        inside = Path(name).relative_to(source)
        folder = new / inside
        folder.mkdir(mode=0o700)
        _give(folder, target)
        if str(inside).removeprefix("pg_") in _EMPTIED or inside.name == _TEMPORARY:
            folders.clear()
            continue
        for file in files:
            if file not in _LEFT_OUT and inside / file != _CONTROL:
                _copy_file(Path(name, file), folder / file, target)
    _copy_file(source / _CONTROL, new / _CONTROL, target)
    # The server writes it under a lock that we cannot take: half old, half new it would be refused.
    while (new / _CONTROL).read_bytes() != (source / _CONTROL).read_bytes():
        (new / _CONTROL).unlink()
        _copy_file(source / _CONTROL, new / _CONTROL, target)


def _unless_dropped(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _copy_file(source: Path, target: Path, home: Home) -> None:
    try:
        reading = os.open(source, os.O_RDONLY)
    except FileNotFoundError:
        return  # dropped meanwhile: the log says so too
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _copy_bytes(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    _give(target, home)


def _copy_bytes(reading: int, writing: int) -> None:
    if sys.platform == "linux":
        try:
            while os.copy_file_range(reading, writing, _CHUNK):
                pass
        except OSError as error:
            # Not every file system can (some network ones, FUSE), nor every sandbox.
            if error.errno not in _CANNOT:
                raise
        else:
            return
    # From where the kernel left off.
    with (
        os.fdopen(reading, "rb", closefd=False) as source,
        os.fdopen(writing, "wb", closefd=False) as target,
    ):
        shutil.copyfileobj(source, target, _CHUNK)


def _give(path: Path, home: Home) -> None:
    if home.account:
        os.chown(path, home.account.pw_uid, home.account.pw_gid)


def _row(connection: psycopg.Connection, query: LiteralString, *parameters: str) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None  # noqa: S101  every query here has one row
    return row
