"""`polylens ingest --engine ray`"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.conftest import Run
from tests.indexer.qdrant.loopback import Loopback, loopback
from tests.media import save_pictures

COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]
WITHOUT = [sys.executable, "-c", "import sys; sys.modules['ray'] = None; " + COMMAND[-1]]


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with loopback() as served:
        yield served


def environment(server: Loopback, data: Path) -> dict[str, str]:
    return os.environ | {
        "POLYLENS_DATA": str(data),
        "POLYLENS_ENCODER": "fake",
        "POLYLENS_QDRANT_URL": server.url,
        "COLUMNS": "200",
    }


def test_a_collection_of_this_machine_is_refused(run: Run, photos: Path, tmp_path: Path) -> None:
    ran = run("ingest", photos, "--engine", "ray")
    assert ran.code == 1
    assert "collections on a Qdrant server" in ran.err
    assert "set qdrant_url (--set qdrant_url=http://" in ran.err
    assert not (tmp_path / "data" / "collections" / "default").exists()


def test_without_ray_the_extra_is_named(server: Loopback, photos: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [*WITHOUT, "ingest", str(photos), "--engine", "ray"],
        capture_output=True,
        text=True,
        env=environment(server, tmp_path / "data"),
    )
    assert ran.returncode == 1
    assert ran.stderr == "polylens: the engine ray needs Ray: pip install 'polylens[ray]'\n"


def marked() -> set[int]:
    """Processes that descend from a command of this test, told by a variable of theirs."""
    mark = b"MARK=%d\0" % os.getpid()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_dead = not (folder / "cmdline").read_bytes()
            if mark in (folder / "environ").read_bytes() and not is_dead:
                found.add(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.long
def test_a_ray_of_its_own_is_gone_with_the_command(
    server: Loopback, photos: Path, tmp_path: Path
) -> None:
    server.reset()
    (photos / "broken.jpg").write_bytes(b"broken")
    env = environment(server, tmp_path / "data") | {"MARK": str(os.getpid())}
    command = [*COMMAND, "ingest", str(photos), "--engine", "ray", "--device", "cpu,cpu", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, env=env)
    assert ran.returncode == 3, ran.stderr
    report = json.loads(ran.stdout)
    assert (report["done"], report["failed"]) == (4, 1)
    assert report["collection_points"] == report["ledger_points"] == report["points"]
    assert "Traceback" not in ran.stderr
    assert "Warning" not in ran.stderr
    await_none()
    save_pictures(photos, 3000)
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
            before = len(server.seen)
            while not any("PUT" in seen and "points" in seen for seen in server.seen[before:]):
                time.sleep(0.05)
                assert process.poll() is None
            process.send_signal(number)
        assert process.returncode == code
        await_none()
    ran = subprocess.run(command, capture_output=True, text=True, env=env)
    assert ran.returncode == 3, ran.stderr
    report = json.loads(ran.stdout)
    assert report["found"] == 3005
    assert report["collection_points"] == report["ledger_points"] >= 3004


def await_none() -> None:
    """Until no process is left of what was started; nobody waits for what was killed."""
    end = time.monotonic() + 240  # Ray's agents take their time to see that all others died
    while left := marked():
        assert time.monotonic() < end, left
        time.sleep(0.2)
