"""Files that are whole at any moment, and folders with one command at work in each."""

import contextlib
import errno
import fcntl
import pathlib
import time
from collections.abc import Iterator
from typing import TextIO

PATIENCE = 10  # seconds: processes that load images end a while after a training that was killed, and keep its lock till then


@contextlib.contextmanager
def replace_file(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The name of a file to write instead, which takes the place of `path` when all is written; it is removed if that fails."""
    partial = path.with_name(f"{path.name}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_csv(path: pathlib.Path) -> Iterator[TextIO]:
    """To write a table of which the same holds, in UTF-8; file names in it need not be."""
    with (
        replace_file(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as out,
    ):
        yield out


@contextlib.contextmanager
def locked(folder: pathlib.Path, patience: float = PATIENCE) -> Iterator[None]:
    """Of all who ask for the folder nobody else has it meanwhile; ValueError if somebody does for longer than `patience`
    seconds. The system lifts the lock when a process ends, however it does."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with (folder / ".lock").open("w") as file:
        while not _lock(file):
            if time.monotonic() - began >= patience:
                raise ValueError(f"{folder}: another command is at work there; wait for its end, or name another --work")
            time.sleep(0.2)
        yield


def _lock(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some network file systems have no locks: then nobody looks after it
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    return True


def replace_text(path: pathlib.Path, text: str) -> None:
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")  # paths need not be UTF-8
