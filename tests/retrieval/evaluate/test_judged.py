from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders import Encoder
from encoders.fake import FakeEncoder
from indexer import Collection, LocalStore, Schema
from ingestion import ingest, walk
from retrieval.errors import InvalidDataset
from retrieval.evaluate import Judgement, Result, evaluate_judgements, read_judgements
from tests.retrieval.evaluate.toys import COLOURS, save_image


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Six colours, and a second red in another folder."""
    for colour in COLOURS:
        save_image(tmp_path / "media" / f"{colour}.jpg", colour)
    save_image(tmp_path / "media" / "other" / "dark.jpg", "darkred")
    save_image(tmp_path / "media" / "other" / "blue.jpg", "blue")
    store, encoder = LocalStore(tmp_path / "data"), FakeEncoder()
    info = encoder.info
    made = store.create("toys", Schema(info.vectors, info.name, info.fingerprint))
    list(ingest(walk(tmp_path / "media"), encoder, made))
    yield made
    store.close()


def judged(collection: Collection, *judgements: Judgement) -> list[Result]:
    encoder: Encoder = FakeEncoder()
    return evaluate_judgements(judgements, collection, encoder)


def values(result: Result) -> dict[str, float]:
    return {score.name: round(score.value, 2) for score in result.scores}


def test_what_is_found_first_and_second(collection: Collection) -> None:
    (result,) = judged(
        collection,
        Judgement("red", {"red.jpg": 2, "dark.jpg": 1}),
        Judgement("green", {"green.jpg": 1}),
        Judgement("a yellow thing", {"media/cyan.jpg": 1}),
    )
    found = values(result)
    for stage in ("encoder", "index", "search"):
        assert found[f"R@1, {stage}"] == pytest.approx(100 * (0.5 + 1 + 0) / 3, abs=0.01)
        assert found[f"R@10, {stage}"] == 100.0
        assert 100 * 2 / 3 < found[f"MRR, {stage}"] < 100
        assert found[f"nDCG@10, {stage}"] < 100
    assert found["index agrees with exact search @10"] == 100.0
    assert (result.dataset, result.language, result.counts["queries"]) == ("toys", "all", 3)
    assert result.complete


def test_by_language(collection: Collection) -> None:
    results = judged(
        collection,
        Judgement("red", {"red.jpg": 1}, "en"),
        Judgement("blue", {"yellow.jpg": 1}, "xx"),
    )
    assert [result.language for result in results] == ["all", "en", "xx"]
    assert [values(result)["R@1, search"] for result in results] == [50.0, 100.0, 0.0]


def test_queries_without_an_answer(collection: Collection) -> None:
    (result,) = judged(collection, Judgement("zebras", {}), Judgement("magenta", {}))
    assert values(result) == {"nothing relevant, and said so": 50.0}


def test_what_cannot_be_scored_is_counted(collection: Collection) -> None:
    (result,) = judged(
        collection,
        Judgement("red", {"red.jpg": 1, "gone.jpg": 1}),
        Judgement("blue", {"blue.jpg": 1}),
        Judgement("green", {"nowhere.jpg": 1}),
    )
    assert result.counts["queries"] == 1
    assert list(result.gaps) == [
        "2 judged files not there: gone.jpg, nowhere.jpg",
        "1 judged names of several files: blue.jpg",
        "2 queries none of whose files is in the collection: blue, green",
    ]
    with pytest.raises(InvalidDataset, match=r"no query can be scored: .*nowhere"):
        judged(collection, Judgement("green", {"nowhere.jpg": 1}))


def test_a_name_that_several_files_have_is_told_by_its_folder(collection: Collection) -> None:
    (result,) = judged(collection, Judgement("blue", {"other/blue.jpg": 1, "media/blue.jpg": 1}))
    assert values(result)["R@5, search"] == 100.0


def test_reads_lists_and_grades(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(
        '{"query": "röd", "relevant": ["a.jpg", "b.jpg"], "language": "sv"}\n\n'
        '{"query": "red", "relevant": {"a.jpg": 3}}\n{"query": "none", "relevant": []}\n'
    )
    assert read_judgements(path) == [
        Judgement("röd", {"a.jpg": 1.0, "b.jpg": 1.0}, "sv"),
        Judgement("red", {"a.jpg": 3.0}),
        Judgement("none", {}),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "red a.jpg",
        "[]",
        '{"query": "red"}',
        '{"query": " ", "relevant": []}',
        '{"query": 1, "relevant": []}',
        '{"query": "red", "relevant": "a.jpg"}',
        '{"query": "red", "relevant": {"a.jpg": 0}}',
        '{"query": "red", "relevant": {"a.jpg": "very"}}',
        '{"query": "red", "relevant": [], "language": 3}',
    ],
)
def test_lines_that_are_no_judgement_are_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query": "red", "relevant": []}\n' + line)
    with pytest.raises(InvalidDataset, match="line 2"):
        read_judgements(path)


def test_a_file_without_a_query_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text("\n")
    with pytest.raises(InvalidDataset, match="holds no query"):
        read_judgements(path)
