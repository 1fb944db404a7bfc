"""Whole lines, from many writers, through full files, full disks and kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from agent_exec.runtime.audit.files import files_of
from agent_exec.runtime.audit.reader import LogReader
from agent_exec.runtime.audit.writer import AuditWriter

NOON = 1_800_000_000.0
DAY = 24 * 3600.0


def line(**fields: object) -> bytes:
    return json.dumps({"v": 1, **fields}).encode()


def numbers(folder: Path) -> list[object]:
    return [record["n"] for record in LogReader(str(folder)).read()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit"


def test_records_come_back_in_order_and_only_to_us(folder: Path) -> None:
    writer = AuditWriter(str(folder), 30)
    for number in range(3):
        writer.write(line(n=number), NOON)
    writer.close()
    assert numbers(folder) == [0, 1, 2]
    (path,) = files_of(str(folder))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_full_file_and_another_day_begin_a_new_one(folder: Path) -> None:
    writer = AuditWriter(str(folder), 30, most_bytes=100)
    for number in range(12):
        writer.write(line(n=number), NOON + (DAY if number >= 8 else 0))
    writer.close()
    again = AuditWriter(str(folder), 30, most_bytes=100)
    again.write(line(n=12), NOON + DAY)
    again.close()
    names = [os.path.basename(path) for path in files_of(str(folder))]
    assert len(names) == 3
    assert {name[:10] for name in names} == {"2027-01-15", "2027-01-16"}
    assert numbers(folder) == list(range(13))


def test_a_file_that_somebody_else_has_filled_is_full(folder: Path) -> None:
    writers = [AuditWriter(str(folder), 30, most_bytes=100) for _ in range(2)]
    for number, which in enumerate((0, 1, 1, 1, 1, 0)):
        writers[which].write(line(n=number, pad="x" * 30), NOON)
    for writer in writers:
        writer.close()
    sizes = [os.stat(path).st_size for path in files_of(str(folder))]
    assert len(sizes) == 3
    assert max(sizes) < 150, "one more record than there was room for, at most"


def test_more_than_ten_files_of_a_day_stay_in_order(folder: Path) -> None:
    writer = AuditWriter(str(folder), 30, most_bytes=1)
    for number in range(25):
        writer.write(line(n=number), NOON)
    writer.close()
    assert len(files_of(str(folder))) == 25
    assert numbers(folder) == list(range(25))


def test_old_days_are_removed_and_nothing_else(folder: Path) -> None:
    for day in range(10):
        writer = AuditWriter(str(folder), 100)
        writer.write(line(n=day), NOON + day * DAY)
        writer.close()
    (folder / "notes.txt").write_text("")
    (folder / "9999-99-99.jsonl").write_text("")
    writer = AuditWriter(str(folder), 3)
    writer.write(line(n=10), NOON + 10 * DAY)
    writer.close()
    assert numbers(folder) == [7, 8, 9, 10]
    assert (folder / "notes.txt").exists()


def test_what_cannot_be_removed_costs_no_record(folder: Path) -> None:
    (folder / "2026-12-01.jsonl").mkdir(parents=True)
    (folder / "2026-12-02.jsonl").write_text("")
    writer = AuditWriter(str(folder), 30)
    writer.write(line(n=0), NOON)
    writer.close()
    assert (writer.lost, writer.why) == (0, "")
    assert sorted(os.listdir(folder)) == ["2026-12-01.jsonl", "2027-01-15.jsonl"]


@pytest.mark.parametrize("removed", ["file", "folder"])
def test_records_go_on_where_somebody_has_removed_the_file(folder: Path, removed: str) -> None:
    writer = AuditWriter(str(folder), 30)
    writer.write(line(n=0), NOON)
    if removed == "file":
        os.unlink(files_of(str(folder))[0])
    else:
        shutil.rmtree(folder)
    for number in (1, 2):
        writer.write(line(n=number), NOON)
    writer.close()
    assert numbers(folder) == [1, 2]
    assert writer.lost == 0


@pytest.mark.parametrize("trouble", ["file", "dangling", "fifo", "read-only"])
def test_trouble_is_counted_and_never_raised(folder: Path, trouble: str) -> None:
    folder.parent.mkdir(parents=True)
    if trouble == "file":
        folder.write_text("")
    elif trouble == "dangling":
        folder.mkdir()
        (folder / "2027-01-15.jsonl").symlink_to("/var/lib/no-such-folder/file")
    elif trouble == "fifo":
        folder.mkdir()
        os.mkfifo(folder / "2027-01-15.jsonl")
    else:
        folder.symlink_to("/proc/self")
    writer = AuditWriter(str(folder), 30)
    writer.write(line(n=0), NOON)
    writer.write(line(n=1), NOON)
    writer.close()
    assert writer.lost == 2
    assert str(folder) in writer.why


def test_after_trouble_it_tries_again(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    writer = AuditWriter(str(folder), 30)
    writer.write(line(n=0), NOON)
    folder.unlink()
    writer.write(line(n=1), NOON + 1)
    writer.write(line(n=2), NOON + 10)
    writer.close()
    assert (writer.lost, numbers(folder)) == (2, [2])


def test_a_full_disk_costs_no_other_record(folder: Path) -> None:
    folder.mkdir(parents=True)
    # A limit of our own stands for the disk: what does not fit is cut, then refused.
    script = """
import resource, signal, sys
from agent_exec.runtime.audit.writer import AuditWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
writer = AuditWriter(sys.argv[1], 30)
for number in range(100):
    writer.write(b'{"v":1,"n":%d,"pad":"xxxxxxxxxxxxxxxxxxxxxxxx"}' % number, 1.8e9 + 10 * number)
print(writer.lost)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.write(b'{"v":1,"n":100}', 1.8e9 + 2000)
writer.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, check=True, text=True
    )
    reader = LogReader(str(folder))
    seen = [record["n"] for record in reader.read()]
    lost = int(done.stdout)
    assert lost > 0
    assert seen == [*range(100 - lost), 100]
    assert reader.broken == 1


def test_what_a_killed_writer_has_left_is_a_line_by_itself(folder: Path) -> None:
    folder.mkdir(parents=True)
    path = folder / "2027-01-15.jsonl"
    path.write_bytes(b'\n{"v":1,"n":0}\n\n{"v":1,"n":1,"to')
    writer = AuditWriter(str(folder), 30)
    writer.write(line(n=2), NOON)
    writer.close()
    reader = LogReader(str(folder))
    assert [record["n"] for record in reader.read()] == [0, 2]
    assert reader.broken == 1


def test_a_forked_child_goes_on_though_another_thread_was_writing(folder: Path) -> None:
    writer = AuditWriter(str(folder), 30)
    writer.write(line(n=0), NOON)
    with writer._lock:
        holds = threading.get_ident()
        pid = os.fork()
        if pid == 0:
            try:
                writer.write(line(n=1), NOON)
            finally:
                os._exit(0)
    assert holds
    os.waitpid(pid, 0)
    writer.close()
    assert numbers(folder) == [0, 1]


WRITES = """
import sys
from agent_exec.runtime.audit.writer import AuditWriter
folder, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
writer = AuditWriter(folder, 30, most_bytes=20_000)
number = 0
while number != count:
    fields = name.encode(), number, b"x" * 300
    writer.write(b'{"v":1,"name":"%b","n":%d,"pad":"%b"}' % fields, 1.8e9)
    print(number, flush=True)
    number += 1
"""


def test_sixteen_processes_lose_and_break_no_line_though_some_are_killed(folder: Path) -> None:
    def start(name: str, count: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", WRITES, str(folder), name, str(count)]
        return subprocess.Popen(words, stdout=subprocess.PIPE)

    patient = {f"p{number}": start(f"p{number}", 300) for number in range(12)}
    killed = {f"k{number}": start(f"k{number}", -1) for number in range(4)}
    told: dict[str, int] = {}
    for name, process in killed.items():
        assert process.stdout is not None
        for _ in range(100):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        # A number that was told was written before.
        told[name] = 100 + rest.count(b"\n")
        process.stdout.close()
        process.wait()
    for process in patient.values():
        assert process.stdout is not None
        process.stdout.read()
        process.stdout.close()
        assert process.wait() == 0
    reader = LogReader(str(folder))
    seen: Counter[str] = Counter()
    for record in reader.read():
        assert record["n"] == seen[record["name"]]
        seen[record["name"]] += 1
    assert {name: seen[name] for name in patient} == dict.fromkeys(patient, 300)
    for name, count in told.items():
        assert count <= seen[name] <= count + 1
    assert reader.broken <= len(killed)
    assert len(files_of(str(folder))) > 10


def test_reading_goes_on_where_it_stopped(folder: Path) -> None:
    writer = AuditWriter(str(folder), 30, most_bytes=60)
    reader = LogReader(str(folder))
    seen: list[object] = []
    for number in range(10):
        writer.write(line(n=number), NOON)
        seen += [record["n"] for record in reader.read()]
    writer.close()
    path = Path(files_of(str(folder))[-1])
    with path.open("ab") as file:
        file.write(b'\n{"v":1,"n"')
        file.flush()
        seen += [record["n"] for record in reader.read()]
        file.write(b":10}\n")
    seen += [record["n"] for record in reader.read()]
    assert seen == list(range(11))
    assert reader.broken == 0
