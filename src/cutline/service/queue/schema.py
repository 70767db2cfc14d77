"""The queue's tables, the databases that can hold them, and a lock beside a queue's file."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import filelock
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoResponse

from cutline.errors import ConfigError, MissingExtra
from cutline.files import remedy

Result = TypeVar("Result")

VERSION: Final = 1
BUSY_SECONDS: Final = 30.0
TRANSACTION_SECONDS: Final = 30.0  # PostgreSQL's longest, for one short transaction
_ATTEMPTS: Final = 5
_MODEL_SECONDS: Final = 2.0  # for another service, started in the same moment, to write its model
_SETUP_LOCK: Final = 7_203_414  # any number, the same in all processes

tables = sa.MetaData()
stores = sa.Table("cutline_store", tables, sa.Column("version", sa.Integer, primary_key=True))
jobs = sa.Table(
    "cutline_jobs",
    tables,
    sa.Column("id", sa.String(32), primary_key=True),  # ids sort by their time
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("ended", sa.Float, index=True),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("captioned", sa.Integer, nullable=False, default=0),
    sa.Column("failed", sa.Integer, nullable=False, default=0),
    sa.Column("wish", sa.LargeBinary, key="options", nullable=False),  # its name since the first version
    sa.Column("idempotency_key", sa.String(255), unique=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("webhook", sa.Text),
    sa.Column("webhook_attempts", sa.Integer, nullable=False, default=0),
    sa.Column("webhook_due", sa.Float, index=True),
)
items = sa.Table(
    "cutline_items",
    tables,
    sa.Column("job", sa.String(32), sa.ForeignKey("cutline_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("turn", sa.Float, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("owner", sa.String(32), index=True),
    sa.Column("lease", sa.Float),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("result", sa.LargeBinary),
    sa.Index("cutline_items_to_do", "status", "turn"),
)
# Not in the items: a change of an item's status would rewrite its picture.
uploads = sa.Table(
    "cutline_uploads",
    tables,
    sa.Column("job", sa.String(32), sa.ForeignKey("cutline_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
# Not in the jobs: few have one, and older stores get this table when they are opened.
traces = sa.Table(
    "cutline_traces",
    tables,
    sa.Column("job", sa.String(32), sa.ForeignKey("cutline_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("headers", sa.LargeBinary, nullable=False),
)


def store_url(text: str) -> sa.URL:
    """The database of ``--store`` with its driver; raises ConfigError for another kind, or one in memory."""
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError("--store must be sqlite:///FILE or postgresql://USER@HOST/NAME") from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ConfigError(
                "--store needs a file, such as sqlite:///jobs.db: a queue must outlive the process"
            )
        return url.set(drivername="sqlite+pysqlite")
    if kind in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    raise ConfigError(f"--store cannot be {kind}: use sqlite:///FILE or postgresql://USER@HOST/NAME")


class Database:
    """Short transactions in threads, so that the event loop never waits for a disk.

    SQLite has one writer at a time: a single thread writes, so nothing polls for the lock.
    """

    def __init__(self, url: str) -> None:
        address = store_url(url)
        self._file = address.database or ""
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self._shown = address.set(drivername=address.get_backend_name()).render_as_string(hide_password=True)
        try:
            self._engine = _sqlite(address) if self.is_sqlite else _postgresql(address)
        except ImportError:
            raise MissingExtra("--store postgresql://…", "postgres") from None
        self._reading = self._engine.execution_options(reading=True)
        self._writers = ThreadPoolExecutor(1 if self.is_sqlite else 4, "store-writer")
        self._readers = ThreadPoolExecutor(4, "store-reader")

    @property
    def place(self) -> str:
        """The absolute path of SQLite's file, or the address of a server without its password."""
        return str(Path(self._file).absolute()) if self.is_sqlite else self._shown

    def prepare(self) -> None:
        """Create missing tables; blocks, and raises ConfigError for what cannot be opened or is not ours."""
        if self.is_sqlite:
            if Path(self._file).is_dir():
                raise ConfigError(f"--store {self._shown} is a folder: name a file in it, such as jobs.db")
            with contextlib.suppress(OSError):  # opening it reports more
                Path(self._file).touch(mode=0o600)  # uploads are private
        try:
            with self._engine.begin() as connection:
                if not self.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SETUP_LOCK)))
                tables.create_all(connection)
                version = connection.scalar(sa.select(sa.func.max(stores.c.version)))
                if version is None:
                    connection.execute(stores.insert().values(version=VERSION))
        except DBAPIError as error:
            reason = describe_error(error)
            cure = f"; {self._cure(reason)}" if self.is_sqlite else ""
            raise ConfigError(f"--store {self._shown} cannot be opened: {reason}{cure}") from None
        if version not in {None, VERSION}:
            raise ConfigError(
                f"--store {self._shown} was written by another cutline version: use another, or that version"
            )

    def _cure(self, reason: str) -> str:
        """What to do about a file that SQLite cannot open, which stays as it is."""
        if "unable to open" in reason or "readonly" in reason or "read-only" in reason:
            return "make its folder, allow writing there, or name another --store"
        if "is full" in reason or "I/O error" in reason:
            return "check that the disk has free space and works, or name another --store"
        if "locked" in reason:
            return "end the program that holds it, or name another --store"
        return "restore it from a copy, or move it away: a new one is made"

    @property
    def now(self) -> sa.ColumnElement[float]:
        """The time by the clock that all users of the store share: for leases."""
        if self.is_sqlite:
            return sa.literal(time.time())
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)

    async def read(self, work: Callable[[sa.Connection], Result]) -> Result:
        def read_once() -> Result:
            with self._reading.begin() as connection:
                return work(connection)

        return await self._run(self._readers, read_once)

    async def write(self, work: Callable[[sa.Connection], Result]) -> Result:
        """``work`` is called again if the database rolled back its transaction."""

        def write_once() -> Result:
            with self._engine.begin() as connection:
                return work(connection)

        return await self._run(self._writers, write_once)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        """Raises SQLAlchemyError also for a timeout; whether ``work`` was done is unknown then."""
        try:
            async with asyncio.timeout(None if self.is_sqlite else TRANSACTION_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(threads, _retrying, work)
        except TimeoutError:
            raise NoResponse("the database does not respond") from None

    def close(self) -> None:
        self._writers.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


def prepare(url: str) -> None:
    """Create the database's missing tables; raises as ``Database.prepare``."""
    database = Database(url)
    try:
        database.prepare()
    finally:
        database.close()


def _retrying(work: Callable[[], Result]) -> Result:
    """Call ``work``; again after a conflict with other transactions (deadlock, lock timeout)."""
    for attempt in range(_ATTEMPTS):
        try:
            return work()
        except OperationalError as error:
            code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", "")
            if attempt == _ATTEMPTS - 1 or not str(code).startswith(("40", "SQLITE_BUSY")):
                raise
            time.sleep(0.05 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def _sqlite(url: sa.URL) -> sa.Engine:
    # pool_size: four readers, the writer, and prepare().
    engine = sa.create_engine(url, pool_size=6, connect_args={"timeout": BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")  # a job that got its 202 survives a power cut
            cursor.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        # A transaction that reads first and then writes would fail when another wrote in between.
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: sa.URL) -> sa.Engine:
    # Whatever the network does, a response or an error comes in bounded time.
    timeouts = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    timeouts |= {"tcp_user_timeout": 20_000}
    return sa.create_engine(url, pool_size=9, pool_pre_ping=True, connect_args=timeouts)


def describe_error(error: SQLAlchemyError) -> str:
    """The database's message in one line, without the statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


@contextlib.contextmanager
def reserved(store: str, model: str) -> Iterator[None]:
    """Reserve the queue in that file for this model, as long as the service runs.

    Any service may caption any picture of a queue, so all that share it need one model.
    A PostgreSQL is named on purpose, and may have two models during a change: it is not checked. Raises
    ConfigError when a service with another model uses the file, or nothing can be written beside it.
    """
    url = store_url(store)
    if url.get_backend_name() != "sqlite":
        yield
        return
    lock, model_file = filelock.FileLock(f"{url.database}.lock"), Path(f"{url.database}.model")
    try:
        lock.acquire(timeout=0)
        model_file.write_text(model, "utf-8")
    except filelock.Timeout:
        other = _read(model_file)
        if other not in {model, ""}:
            raise ConfigError(
                f"--store {store} is in use by a service with the model {other}: "
                "give this one its own, such as --store sqlite:///other-jobs.db"
            ) from None
        yield
        return
    except OSError as error:
        place = error.filename or url.database
        raise ConfigError(
            f"--store {store}: cannot write {place}: {error.strerror}; {remedy(error)}, or name another "
            "--store"
        ) from None
    try:
        yield
    finally:
        model_file.unlink(missing_ok=True)
        lock.release()


def _read(file: Path) -> str:
    end = time.monotonic() + _MODEL_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if text := file.read_text("utf-8"):
                return text
        time.sleep(0.05)
    return ""
