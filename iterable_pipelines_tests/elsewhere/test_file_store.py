"""A file store says the same of a folder and of a bucket; what it cannot reach it names."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from iterable_pipelines.file_store import FileStore, StoreFailed
from iterable_pipelines_tests.elsewhere.broken_wire import cutting_proxy
from iterable_pipelines_tests.s3_server import S3

Written = Callable[[str], Path]
HOUR = "events/hour=2026-11-01T03"


def test_a_file_is_used_up_and_comes_back_as_it_was(store: FileStore, written: Written, tmp_path: Path) -> None:
    file = written("one")
    store.put(file, f"{HOUR}/a.parquet")
    assert not file.exists() and store.exists(f"{HOUR}/a.parquet") and not store.exists(f"{HOUR}/b.parquet")
    store.get(f"{HOUR}/a.parquet", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "one"


def test_the_newer_file_takes_the_place_of_the_older(store: FileStore, written: Written, tmp_path: Path) -> None:
    for text in ("one", "three"):
        store.put(written(text), "a")
    assert store.sizes() == {"a": 5}


def test_names_are_those_below_a_folder(store: FileStore, written: Written) -> None:
    store.put_all((written(name), name) for name in (f"{HOUR}/b", f"{HOUR}/a", "events/hour=2026-11-01T04/a", "other"))
    assert store.names("events") == [f"{HOUR}/a", f"{HOUR}/b", "events/hour=2026-11-01T04/a"]
    assert store.names("eve") == store.names("nothing") == []
    assert store.missing([f"{HOUR}/a", f"{HOUR}/c", "other"]) == [f"{HOUR}/c"]
    many = [f"{HOUR}/{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert store.missing(many) == many[2:]


def test_files_are_here_under_their_own_names(store: FileStore, written: Written, tmp_path: Path) -> None:
    store.put_all((written(name), f"{HOUR}/{name}") for name in "ab")
    files = store.here([f"{HOUR}/b", f"{HOUR}/a", f"{HOUR}/b"], tmp_path / "scratch")
    assert [each.read_text() for each in files] == ["b", "a", "b"]
    # hive partitions are read from the path
    assert files[0].parent.name == "hour=2026-11-01T03"
    assert store.folder is None or files[0] == store.folder / HOUR / "b"
    with pytest.raises(FileNotFoundError):
        store.get("nothing", tmp_path / "nothing")


def test_what_is_removed_is_gone(store: FileStore, written: Written) -> None:
    store.put_all((written(name), name) for name in (f"{HOUR}/a", f"{HOUR}/b", "other/c", "d"))
    store.remove([f"{HOUR}/a", "nothing"])
    assert store.names() == ["d", f"{HOUR}/b", "other/c"]
    assert store.remove_folder("other") == (1, len("other/c")) and store.remove_folder("nothing") == (0, 0)
    assert store.names() == ["d", f"{HOUR}/b"]


def test_a_put_that_breaks_off_leaves_the_old_version(s3: S3, written: Written, tmp_path: Path) -> None:
    root = f"{s3.bucket('breaks-off')}/landing"
    FileStore(root, s3.options).put(written("old"), "a")
    with cutting_proxy(s3.endpoint, after=20_000) as endpoint:
        file = written("new" * 1_000_000)
        once = {"endpoint_url": endpoint, "config_kwargs": {"retries": {"max_attempts": 1}}}
        broken = FileStore(root, once)
        with pytest.raises(StoreFailed, match=r"breaks-off/landing/a cannot be reached"):
            broken.put(file, "a")
        assert file.exists()
    FileStore(root, s3.options).get("a", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"


def test_a_bucket_that_is_not_there_is_named(s3: S3, written: Written) -> None:
    with pytest.raises(StoreFailed, match="there is no bucket or container for s3://there-is-none/landing"):
        FileStore("s3://there-is-none/landing", s3.options).put(written("one"), "a")


def test_a_file_that_is_gone_here_is_not_a_bucket_that_is_gone(
    s3: S3, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, file = FileStore(f"{s3.bucket('gone-here')}/landing", s3.options), written("one")
    put = store._remote.put_file

    def too_late(path: str, url: str) -> None:
        file.unlink()
        put(path, url)

    monkeypatch.setattr(store._remote, "put_file", too_late)
    with pytest.raises(FileNotFoundError) as gone:
        store.put(file, "a")
    assert gone.value.filename == str(file)


def test_a_put_crosses_disks(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as other:
        file = Path(other) / "file"
        file.write_text("one")
        FileStore(tmp_path).put(file, "events/a")
        assert not file.exists()
    assert FileStore(tmp_path).sizes() == {"events/a": 3}
