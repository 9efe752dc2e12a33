"""`polylens search` from the shell, beside what cannot be avoided: one run, one table.

    python -m benchmarks.cli_search [--runs 20]

The floor is a Python process that does nothing; next to it the imports alone. Kinds alternate,
so that noise of the machine hits all alike; the first round, with cold files, is not counted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from api.demo.media import Script, gather
from api.installation import Installation
from api.settings import Settings
from ingestion import ingest, walk

SEARCH = [sys.executable, "-c", "from api.cli import main; main()", "search", "-c", "demo"]
COMMANDS = {
    "python, doing nothing": [sys.executable, "-c", "pass"],
    "imports of the command line": [sys.executable, "-c", "import api.cli.app"],
    "search, `fake` encoder": [*SEARCH, "-c", "fake", "red"],
    "search, `offline` encoder": [*SEARCH, "un gato"],
    "the same, --json": [*SEARCH, "--json", "un gato"],
}


def main() -> None:
    """Print the table; times are wall-clock milliseconds of whole processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        prepare(data)
        took: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(runs + 1):
            for name, command in COMMANDS.items():
                took[name].append(milliseconds(command, data))
    print("| whole process | median ms | slowest ms |\n|---|---|---|")
    for name, times in took.items():
        print(f"| {name} | {statistics.median(times[1:]):.0f} | {max(times[1:]):.0f} |")


def prepare(data: Path) -> None:
    """The demo's photos and film in two collections."""
    gather(Script.load(), data / "demo")
    for name, encoder in (("demo", "offline"), ("fake", "fake")):
        with Installation(Settings(data=data, encoder=encoder)) as polylens:
            collection = polylens.create(name)
            for _ in ingest(walk(data / "demo"), polylens.encoder(), collection):
                pass


def milliseconds(command: list[str], data: Path) -> float:
    """How long a command takes; raises `CalledProcessError` where it fails."""
    environment = {**os.environ, "POLYLENS_DATA": str(data)}
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
