"""Files below one root that is a folder of this machine or an fsspec URL (`s3://bucket/prefix`): whole, or not there.

store = FileStore("s3://bucket/landing")
store.put(scratch / "cut.parquet", "events/hour=2026-11-01T03/data_type=emailOpen/part-0.parquet")
files = store.here(store.names("events"), scratch)
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

# importing it costs every command a tenth of its start, so those import it whose files lie elsewhere
if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from iterable_pipelines.settings import Settings

# an answer takes tens of milliseconds, and nearly all of it is waiting
_AT_ONCE = 16


class StoreFailed(OSError):
    """The object store did not do what was asked. What it held before is as it was, unless the text says otherwise."""


class _NoBucket(Exception):
    """There is nothing to put a file into."""


class FileStore:
    """Files by name (`a/b.parquet`) below one root. A reader sees a file whole, old or new."""

    def __init__(self, root: str | Path, options: Mapping[str, Any] | None = None) -> None:
        """`root` is a folder, made when something is put there, or an fsspec URL; `options` go to its driver."""
        self.root = str(root).rstrip("/")
        self._options = dict(options or {})

    @classmethod
    def of(cls, settings: "Settings") -> "FileStore":
        """Where a project's landed files lie."""
        options = settings.landing_options
        return cls(settings.landing_root, json.loads(options.get_secret_value()) if options else None)

    @property
    def folder(self) -> Path | None:
        """Where the files lie on this machine; None for an object store."""
        return None if is_remote(self.root) else Path(self.root.removeprefix("file://"))

    def url(self, name: str = "") -> str:
        """A file's address for people and other programs: an absolute path, or a URL."""
        base = str(self.folder) if self.folder else self.root
        return f"{base}/{name}" if name else base

    def put(self, file: Path, name: str) -> None:
        """Bring a file to its place and use it up; it is durable afterwards. Replaces what has the name. OSError."""
        self.put_all([(file, name)])

    def put_all(self, files: Iterable[tuple[Path, str]]) -> None:
        """The same for several: each of them arrives whole or not at all."""
        if self.folder:
            _rename_all(files, self.folder)
        else:
            self._each(self._upload, files)

    def get(self, name: str, to: Path) -> None:
        """Copy a file to `to`. Raises FileNotFoundError, OSError."""
        if self.folder:
            shutil.copyfile(self.folder / name, to)
            return
        with self._asking(name):
            self._remote.get_file(self.url(name), str(to))

    def here(self, names: Iterable[str], scratch: Path) -> list[Path]:
        """The files on this machine: themselves where they lie here, else copies below `scratch` with the same names.

        A copy that `scratch` has already is not fetched again. Raises FileNotFoundError, OSError.
        """
        listed = list(names)
        if self.folder:
            return [self.folder / name for name in listed]
        paths = [scratch / name for name in listed]
        self._each(self._download, dict(zip(paths, listed, strict=True)).items())
        return paths

    def exists(self, name: str) -> bool:
        """Whether a file is there. Raises OSError when that cannot be told."""
        if self.folder:
            return (self.folder / name).exists()
        with self._asking(name):
            return bool(self._remote.exists(self.url(name)))

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are not there; many are asked for by folder, in one request each."""
        listed = list(names)
        if self.folder:
            root = str(self.folder)
            return [name for name in listed if not os.path.exists(f"{root}/{name}")]
        folders = sorted({os.path.dirname(name) if len(listed) < _AT_ONCE else _top(name) for name in listed})
        there = set[str]().union(*self._each(self.sizes, folders))
        return [name for name in listed if name not in there]

    def names(self, under: str = "") -> list[str]:
        """The names of all files below a folder, in order; none where there is no such folder."""
        if self.folder is None:
            return sorted(self.sizes(under))
        walked = os.walk(self.folder / under)
        return sorted(
            (Path(where) / file).relative_to(self.folder).as_posix() for where, _, files in walked for file in files
        )

    def folders(self, under: str = "") -> list[str]:
        """The names of the folders right below one, in order."""
        if self.folder:
            found = (self.folder / under).iterdir() if (self.folder / under).is_dir() else iter(())
            return sorted(each.relative_to(self.folder).as_posix() for each in found if each.is_dir())
        with self._asking(under):
            try:
                below = self._remote.ls(self.url(under), detail=True)
            except FileNotFoundError:
                return []
        return sorted(self._name(each["name"]) for each in below if each["type"] == "directory")

    def sizes(self, under: str = "") -> dict[str, int]:
        """The bytes of each file below a folder, by name."""
        if self.folder:
            found = (self.folder / under).rglob("*")
            return {each.relative_to(self.folder).as_posix(): each.stat().st_size for each in found if each.is_file()}
        with self._asking(under):
            below = self._remote.find(self.url(under), detail=True)
        return {self._name(path): int(each["size"]) for path, each in below.items()}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files for good; what is not there is no error."""
        if self.folder is None:
            self._each(self._delete, names)
            return
        folders = set()
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
            folders.add((self.folder / name).parent)
        for folder in folders:
            if folder.is_dir():
                sync(folder)

    def remove_folder(self, under: str) -> tuple[int, int]:
        """Remove all files below a folder, and itself; returns how many there were, and their bytes."""
        sizes = self.sizes(under)
        if self.folder is None:
            self.remove(sizes)
        elif (self.folder / under).is_dir():
            shutil.rmtree(self.folder / under)
            sync((self.folder / under).parent)
        return len(sizes), sum(sizes.values())

    def link_all(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Give files a second name each, which must be free: on this machine that costs no space, elsewhere a copy."""
        if self.folder is None:
            self._each(self._copy, pairs)
            return
        for name, second in pairs:
            (self.folder / second).parent.mkdir(parents=True, exist_ok=True)
            os.link(self.folder / name, self.folder / second)

    def _copy(self, pair: tuple[str, str]) -> None:
        name, second = pair
        with self._asking(name):
            self._remote.cp_file(self.url(name), self.url(second))

    def _upload(self, given: tuple[Path, str]) -> None:
        file, name = given
        size = file.stat().st_size
        with self._asking(name):
            try:
                # drivers upload in pieces that count only once all are there, so a reader never sees half a file
                self._remote.put_file(str(file), self.url(name))
            except FileNotFoundError:
                if file.exists():
                    raise _NoBucket from None
                arrived = None
            else:
                arrived = self._remote.info(self.url(name))["size"]
        if arrived is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        if arrived != size:
            raise StoreFailed(f"{self.url(name)} has {arrived:,} bytes and {size:,} were sent. Next: run it again")
        file.unlink()

    def _download(self, given: tuple[Path, str]) -> None:
        path, name = given
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        self.get(name, part)
        part.replace(path)

    def _delete(self, name: str) -> None:
        with self._asking(name):
            try:
                self._remote.rm_file(self.url(name))
            except FileNotFoundError:
                return

    def _name(self, path: str) -> str:
        return path.rstrip("/").removeprefix(f"{self._remote._strip_protocol(self.root)}/")

    def _each(self, do: Callable[[Any], Any], given: Iterable[Any]) -> list[Any]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(do, given))

    @cached_property
    def _remote(self) -> "AbstractFileSystem":
        from fsspec.core import url_to_fs

        # what other machines write must be seen, so nothing is remembered
        return url_to_fs(self.root, **{"use_listings_cache": False, **self._options})[0]

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.url(name)} is not there") from None
        except _NoBucket:
            raise StoreFailed(
                f"there is no bucket or container for {self.root}. Nothing was stored. "
                "Next: make it, or correct ITERABLE_LANDING; then iterable-pipelines check"
            ) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno and error.filename:
                # trouble of this machine's own disk
                raise
            # a driver's own text may hold a signed URL
            cause = "access denied" if isinstance(error, PermissionError) else type(error).__name__
            raise StoreFailed(
                f"{self.url(name)} cannot be reached ({cause}). What is stored there is as it was. "
                "Next: iterable-pipelines check"
            ) from None


def is_remote(root: str) -> bool:
    """Whether files below `root` lie on another machine, by its spelling."""
    return urlsplit(root).scheme not in ("", "file")


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename_all(files: Iterable[tuple[Path, str]], root: Path) -> None:
    folders = set[Path]()
    for file, name in files:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _rename(file, target)
        # the rename is durable only when each folder above it is
        folders.update(each for each in target.parents if each.is_relative_to(root))
    for folder in sorted(folders, reverse=True):
        sync(folder)


def _rename(file: Path, target: Path) -> None:
    sync(file)
    try:
        file.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.{uuid4().hex}.part")
        shutil.copyfile(file, beside)
        sync(beside)
        beside.replace(target)
        file.unlink()


def _top(name: str) -> str:
    # events/hour=2026-11-01T03/data_type=…: the hour
    return "/".join(name.split("/")[:2])
