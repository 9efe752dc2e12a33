"""A folder ingested and searched with a checkpoint, as users do it."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.app import app
from indexer import LocalStore
from tests.encoders.internvl.tiny import DATA, TINY


def test_a_checkpoint_serves_ingestion_and_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYLENS_DATA", str(tmp_path / "data"))
    run = CliRunner().invoke(app, ["ingest", str(DATA / "images"), "--encoder", str(TINY)])
    assert run.exit_code == 0, run.output
    assert "3 done" in run.output
    with closing(LocalStore(tmp_path / "data").open("default")) as collection:
        assert dict(collection.schema.vectors) == {"c": 32, "g": 32}
    found = CliRunner().invoke(app, ["search", "a red panda", "--json"])
    assert found.exit_code == 0, found.output
    assert len(json.loads(found.stdout)["hits"]) == 3
