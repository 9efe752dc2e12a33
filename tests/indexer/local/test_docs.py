"""The reader in docs/index.md reads what is stored."""

import json
import re
import subprocess
import sys
from pathlib import Path

from indexer import LocalCollection
from tests.indexer.local.points import point, points

DOCS = Path(__file__).parents[3] / "docs" / "index.md"


def test_the_documented_reader_reads_every_point(
    collection: LocalCollection, tmp_path: Path
) -> None:
    collection.upsert(points(range(300), n="x"))
    collection.delete([point(number).id for number in range(0, 300, 3)])
    collection.compact()
    collection.delete([point(number).id for number in range(0, 300, 7)])
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (tmp_path / "data").symlink_to(".")
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    found = dict(re.findall(r"^([0-9A-F]{32}) (\{.*?\}) \[", printed, re.MULTILINE))
    expected = [point(number, n="x") for number in range(300) if number % 3 and number % 7]
    assert found == {
        one.id.hex.upper(): json.dumps(one.payload, separators=(",", ":")) for one in expected
    }
