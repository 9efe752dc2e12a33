import json
from pathlib import Path

import numpy as np
import pytest

from tests.api.cli.conftest import Run
from tests.encoders.internvl.tiny import TINY
from tests.retrieval.evaluate import toys
from tests.retrieval.evaluate.test_regions import checkpoint


@pytest.fixture
def flickr(tmp_path: Path) -> Path:
    return toys.flickr30k(tmp_path / "flickr")


def test_a_public_data_set(run: Run, flickr: Path, tmp_path: Path) -> None:
    found = run("eval", "flickr30k", "--root", flickr, "--language", "en", "-e", "fake")
    assert found.code == 0, found.err
    assert "| en | image to text R@1 | 100.0 |" in found.out
    assert "saved as" in found.err
    asked = ("--language", "en", "-e", "fake", "--output", tmp_path / "out", "--json")
    again = run("eval", "flickr30k", "--root", flickr, *asked)
    (result,) = json.loads(again.out)
    assert result["complete"]
    assert json.loads((tmp_path / "out" / "flickr30k-fake-en.json").read_text()) == [result]


def test_published_numbers_stand_beside_internvl_s(run: Run, flickr: Path) -> None:
    found = run("eval", "flickr30k", "--root", flickr, "-e", TINY, "--json")
    assert found.code == 3, found.err
    both = json.loads(found.out)
    assert [(result["vector"], result["reference"]) for result in both] == [
        ("c", "InternVL-C"),
        ("g", "InternVL-G"),
    ]
    assert both[0]["gaps"] == ["this copy lists 6 files, the published numbers are of 1000"]
    first = both[0]["scores"][0]
    assert first["published"] == 94.7
    assert first["difference"] == pytest.approx(first["value"] - 94.7)


def test_an_incomplete_copy_has_its_exit_code(run: Run, flickr: Path) -> None:
    (flickr / "Images" / "red.jpg").unlink()
    found = run("eval", "flickr30k", "--root", flickr, "--language", "en", "-e", "fake")
    assert found.code == 3
    assert "**incomplete**: 1 files missing: red.jpg" in found.out


def test_classes_and_a_wrong_list(run: Run, tmp_path: Path) -> None:
    classes = toys.folders(tmp_path / "in", {"n1": "red", "n2": "green"})
    asked = ("eval", "folders", "--root", tmp_path / "in", "-e", "fake")
    assert "| en | top 1 | 100.0 |" in run(*asked, "--classes", classes).out
    refused = run(*asked)
    assert refused.code == 1
    assert "classification needs --classes" in refused.err
    classes.write_text("red\nRED\n")
    assert "pass --same-names" in run(*asked, "--classes", classes).err
    assert run(*asked, "--classes", classes, "--same-names").code == 0


def test_queries_of_one_s_own(run: Run, tmp_path: Path) -> None:
    for colour in toys.COLOURS:
        toys.save_image(tmp_path / "media" / f"{colour}.jpg", colour)
    assert run("ingest", tmp_path / "media", "-e", "fake", "-c", "toys").code == 0
    queries = tmp_path / "queries.jsonl"
    lines = [{"query": colour, "relevant": [f"{colour}.jpg"]} for colour in toys.COLOURS]
    queries.write_text("\n".join(map(json.dumps, lines)))
    found = run("eval", "--queries", queries, "-c", "toys")
    assert found.code == 0, found.err
    assert "| all | R@1, search | 100.0 |" in found.out
    queries.write_text("red")
    assert "line 1: not like" in run("eval", "--queries", queries, "-c", "toys").err


def test_matching_is_a_stage_where_the_encoder_can(run: Run, tmp_path: Path) -> None:
    toys.save_image(tmp_path / "media" / "red.jpg", "red")
    toys.save_image(tmp_path / "media" / "blue.jpg", "blue")
    assert run("ingest", tmp_path / "media", "-e", TINY, "-c", "toys").code == 0
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"query": "red", "relevant": ["red.jpg", "blue.jpg"]}')
    asked = ("eval", "--queries", queries, "-c", "toys", "-e", TINY)
    found = run(*asked)
    assert found.code == 0, found.err
    assert "| all | R@5, rerank | 100.0 | +0.0 |" in found.out
    texts_alone = run(*asked, "--rerank", 0)
    assert "| all | R@5, search | 100.0 | +0.0 |" in texts_alone.out
    assert "rerank" not in texts_alone.out


@pytest.mark.parametrize(
    "asked", [(), ("flickr30k",), ("--root", "."), ("flickr30k", "--root", ".", "--queries", "y")]
)
def test_what_to_give_is_said(run: Run, asked: tuple[str, ...]) -> None:
    found = run("eval", *asked)
    assert found.code == 2
    assert "give a data set and --root, or --queries" in " ".join(found.err.split())


def test_a_copy_that_is_nowhere_is_named_before_anything_is_loaded(run: Run) -> None:
    found = run("eval", "flickr30k", "--root", "nowhere", "-e", "no/such-encoder")
    assert found.code == 2
    assert "'nowhere' does not exist" in found.err
    for name, problem in (
        ("coco", "coco_test_karpathy.json cannot be read"),
        ("msrvtt", "needs --annotations"),
        ("imagenet", "needs --classes"),
    ):
        assert problem in run("eval", name, "--root", ".", "-e", "no/such-encoder").err


@pytest.mark.parametrize(
    ("asked", "unused"),
    [
        (("flickr30k", "--classes", "x"), "flickr30k does not use --classes"),
        (("coco", "--frames", 8), "coco does not use --frames"),
        (("imagenet", "-c", "photos", "--rerank", 5), "not use --rerank, --collection"),
        (("ade20k", "--language", "en"), "not use --language; it measures a segmenter"),
    ],
)
def test_flags_that_would_be_passed_over_are_refused(
    run: Run, tmp_path: Path, asked: tuple[str, ...], unused: str
) -> None:
    found = run("eval", *asked, "--root", tmp_path)
    assert found.code == 2
    assert unused in " ".join(found.err.replace("│", " ").split())


def test_own_queries_take_no_flags_of_data_sets(run: Run) -> None:
    found = run("eval", "--queries", "q.jsonl", "--language", "en", "--same-names")
    assert found.code == 2
    assert "own queries does not use --language, --same-names" in found.err


def test_an_unknown_data_set_is_refused(run: Run, tmp_path: Path) -> None:
    found = run("eval", "sketches", "--root", tmp_path, "-e", "fake")
    assert found.code == 1
    assert "there is no data set 'sketches', only flickr30k" in found.err


def test_a_segmenter_on_ade20k(run: Run, tmp_path: Path) -> None:
    maps = {"a": np.ones((60, 70), np.uint8), "b": np.ones((50, 50), np.uint8)}
    root = toys.ade20k(tmp_path / "ade", maps)
    asked = ("eval", "ade20k", "--root", root)
    assert "POLYLENS_SEGMENTER" in run(*asked).err
    assert "not use --encoder; it measures a segmenter" in run(*asked, "-e", "fake").err
    head = checkpoint(tmp_path / "tiny.safetensors")
    found = run(*asked, "--set", f"segmenter={head}")
    assert found.code == 0, found.err
    assert "## ade20k: tiny\n" in found.out
    assert "| - | mIoU |" in found.out
    (root / "annotations" / "validation" / "b.png").unlink()
    again = run(*asked, "--set", f"segmenter={head}", "--json")
    assert again.code == 3
    (result,) = json.loads(again.out)
    assert result["counts"]["images"] == 1
    saved = tmp_path / "data" / "evaluations" / "ade20k-tiny.json"
    assert json.loads(saved.read_text()) == [result]
