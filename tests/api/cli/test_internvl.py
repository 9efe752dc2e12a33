"""A folder ingested and searched with an InternVL checkpoint, loading no tower in vain."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders import LoadOptions
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.load import load_internvl
from encoders.internvl.model import InternVL
from indexer import LocalStore
from tests.api.cli.conftest import Run
from tests.encoders.checkpoints import edit_weights
from tests.encoders.internvl.tiny import DATA, FEATURES, TINY

IMAGES = DATA / "images"
IMAGE = IMAGES / "img1_rgb_150x211.png"
EVERYTHING = {"c", "g", "text", "match", "caption"}


@pytest.fixture
def filled(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run` with the tiny checkpoint, by which a collection was filled."""
    monkeypatch.setenv("POLYLENS_ENCODER", str(TINY))
    ingested = run("ingest", IMAGES)
    assert ingested.code == 0, ingested.err
    assert "3 done" in ingested.out + ingested.err
    return run


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The parts of every model that is built from now on."""
    parts: list[set[str]] = []
    build = InternVLEncoder.__init__

    def watched(self: InternVLEncoder, *arguments: object, **options: object) -> None:
        build(self, *arguments, **options)  # type: ignore[arg-type]
        side = self._maybe_images or self._maybe_texts
        assert side is not None
        assert isinstance(side._runner.model, InternVL)
        parts.append(set(side._runner.model.parts))

    monkeypatch.setattr(InternVLEncoder, "__init__", watched)
    return parts


def test_both_vectors_are_stored_as_the_encoder_makes_them(filled: Run, tmp_path: Path) -> None:
    encoder = load_internvl(str(TINY), LoadOptions(device="cpu"))
    with closing(LocalStore(tmp_path / "data").open("default")) as collection:
        assert dict(collection.schema.vectors) == {"c": 32, "g": 32}
        assert collection.schema.fingerprint == encoder.info.fingerprint
        records = collection.scroll(with_vectors=["c", "g"]).records
    assert len(records) == 3
    for record in records:
        with Image.open(IMAGES / Path(record.asset).name) as image:
            rows = encoder.encode_images([image])
        for name, row in rows.items():
            np.testing.assert_allclose(record.vectors[name], row[0], atol=FEATURES)
    found = json.loads(filled("search", "a red panda", "--json").out)
    assert len(found["hits"]) == 3


def test_ingestion_loads_no_text_tower(
    run: Run, loaded: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYLENS_ENCODER", str(TINY))
    assert run("ingest", IMAGES).code == 0
    assert loaded == [{"c", "g"}]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["a red panda"], {"text"}),
        (["panda", "--minus", "people"], {"text"}),
        (["--image", IMAGE], {"c", "g"}),
        (["stripes", "--image", IMAGE], EVERYTHING),
        (["stripes", "--towers", "both"], EVERYTHING),
    ],
)
def test_a_search_loads_what_its_parts_need(
    filled: Run, loaded: list[set[str]], arguments: list[object], parts: set[str]
) -> None:
    found = filled("search", *arguments)
    assert found.code == 0, found.err
    assert loaded == [parts]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["search", "a cat", "--towers", "image"], "text"),
        (["search", "--image", IMAGE, "--towers", "text"], "image"),
        (["ingest", IMAGES, "--towers", "text"], "image"),
    ],
)
def test_a_tower_that_was_left_out_names_the_setting(
    filled: Run, arguments: list[object], missing: str
) -> None:
    refused = filled(*arguments)
    assert refused.code == 1
    assert f"without its {missing} tower: set `towers` to '{missing}'" in refused.err
    assert "POLYLENS_TOWERS" in refused.err


def test_the_setting_has_one_name_everywhere(
    filled: Run, loaded: list[set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYLENS_TOWERS", "both")
    assert filled("search", "a cat").code == 0
    monkeypatch.delenv("POLYLENS_TOWERS")
    (tmp_path / "polylens.toml").write_text('towers = "both"\n')
    assert filled("search", "a cat").code == 0
    assert loaded == [EVERYTHING] * 2
    assert filled("search", "a cat", "--towers", "neither").code == 2


def test_texts_of_another_checkpoint_are_refused(filled: Run, tmp_path: Path) -> None:
    """Although ingestion had no text tower in memory to compare with."""
    other = Path(shutil.copytree(TINY, tmp_path / "other"))
    (other / "model.safetensors").chmod(0o644)
    edit_weights(other, lambda tensors: tensors["text_projection"].neg_())
    refused = filled("search", "a cat", "--encoder", other)
    assert refused.code == 1
    assert "its text part differs" in refused.err
