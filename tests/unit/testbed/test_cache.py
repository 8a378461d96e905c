"""The cache folder: entries appear whole or not at all, and are made once."""

import queue
import re
import threading
import time
from pathlib import Path

import pytest

from tests.testbed import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def fill(folder: Path) -> None:
    (folder / "tool").write_text("made")


def test_it_lies_in_the_users_cache_folder(tmp_path: Path) -> None:
    assert cache.folder() == tmp_path / "doorward" / "testbed"


def test_an_entry_is_made_once() -> None:
    made: list[Path] = []

    def record(folder: Path) -> None:
        made.append(folder)
        fill(folder)

    for _ in range(2):
        assert (cache.entry("tool-1", record) / "tool").read_text() == "made"
    assert len(made) == 1


def test_a_failed_build_leaves_nothing() -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise RuntimeError("no compiler")

    with pytest.raises(RuntimeError):
        cache.entry("tool-1", fail)
    assert [path.name for path in cache.folder().iterdir()] == [".lock.tool-1"]


def test_what_a_killed_build_left_is_removed_by_the_next() -> None:
    left = cache.folder() / ".tool-1-abc"
    left.mkdir(parents=True)
    cache.entry("tool-1", fill)
    assert not left.exists()


def test_two_builds_at_once_make_one_entry() -> None:
    made: list[Path] = []

    def slowly(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.1)
        fill(folder)

    threads = [threading.Thread(target=cache.entry, args=("tool-1", slowly)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_progress_tells_the_time_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(cache, "_say", said.put)
    with cache.progress("building", every=0.02):
        assert said.get(timeout=60) == "building ..."
        assert re.fullmatch(r"building: \d+ s so far", said.get(timeout=60))
    assert re.fullmatch(r"building: done in \d+\.\d s", [*said.queue][-1])


def test_progress_is_told_to_whoever_waits_at_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with cache.progress("building"):
        pass
    assert capsys.readouterr().err.startswith("testbed: building ...\ntestbed: building: done in ")
