from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.fake import FakeEncoder
from encoders.internvl.encoder import InternVLEncoder
from indexer import (
    Collection,
    IndexOptions,
    LocalCollection,
    LocalStore,
    Point,
    Schema,
    Store,
    point_id,
)
from ingestion import ingest, walk
from retrieval import Searcher, calibrate
from retrieval.errors import InvalidDataset
from retrieval.evaluate import Judgement, Result, evaluate_judgements, markdown, read_judgements
from tests.media import picture
from tests.retrieval.evaluate.toys import COLOURS, save_image
from tests.retrieval.library import create, store_all

Row = NDArray[np.float32]


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
    return evaluate_judgements(judgements, Searcher(collection, FakeEncoder()))


def values(result: Result) -> dict[str, float]:
    return {score.name: round(score.value, 2) for score in result.scores}


def changes(result: Result, measure: str) -> dict[str, tuple[float, float | None]]:
    """Stage -> what a measure is there, and its change from the stage before."""
    return {
        stage: (score.value, score.change)
        for score in result.scores
        for name, _, stage in [score.name.partition(", ")]
        if name == measure
    }


TEXT = "a red panda"
NAMES = ("right.jpg", "other.jpg", "captioned.jpg")


def at_angle(target: Row, cosine: float) -> Row:
    """A unit vector of that cosine to the target."""
    aside = np.roll(target, 1) - (np.roll(target, 1) @ target) * target
    sine = np.sqrt(1 - cosine**2)
    row: Row = (cosine * target + sine * aside / np.linalg.norm(aside)).astype(np.float32)
    return row


@pytest.fixture
def cascade(store: Store, internvl: InternVLEncoder) -> Collection:
    """By `c` the right file is the last of three, by `g` the first; another has the words."""
    rows = internvl.encode_texts([TEXT])
    made = create(store, internvl)
    for name, c, g in zip(NAMES, (0.5, 0.9, 0.7), (0.9, 0.5, 0.7), strict=True):
        vectors = {"c": at_angle(rows["c"][0], c), "g": at_angle(rows["g"][0], g)}
        payload = {"kind": "image", **({"caption": f"{TEXT} at home"} if "cap" in name else {})}
        made.upsert([Point(point_id(name, "image"), name, vectors, payload)])
    return made


def test_what_each_stage_loses_and_gains(cascade: Collection, internvl: InternVLEncoder) -> None:
    """The encoder's matching likes the right file's picture least."""
    pictures = sorted(map(picture, range(3)), key=lambda p: internvl.match([p], [TEXT])[0])
    shown = dict(zip(NAMES, pictures, strict=True))
    searcher = Searcher(cascade, internvl, lambda hit: shown[hit.asset])
    (result,) = evaluate_judgements([Judgement(TEXT, {"right.jpg": 1})], searcher)
    found = changes(result, "MRR")
    assert list(found) == ["encoder", "index", "rescore", "search", "rerank"]
    assert found["encoder"] == pytest.approx((100 / 3, None))
    assert found["index"] == pytest.approx((100 / 3, 0))
    assert found["rescore"] == pytest.approx((100, 200 / 3))
    assert found["search"] == pytest.approx((50, -50))
    assert found["rerank"] == pytest.approx((100 / 3, 100 / 3 - 50))
    assert "rerank: the first 20" in result.protocol
    assert result.complete
    text = markdown([result])
    assert "| all | MRR, rescore | 100.0 | +66.7 |" in text
    assert "| all | MRR, encoder | 33.3 |  |" in text


def test_stages_that_cannot_be_are_left_out(cascade: Collection, internvl: InternVLEncoder) -> None:
    judgement = Judgement(TEXT, {"right.jpg": 1})
    (result,) = evaluate_judgements([judgement], Searcher(cascade, internvl), rerank=0)
    assert list(changes(result, "R@1")) == ["encoder", "index", "rescore", "search"]
    (result,) = evaluate_judgements([judgement], Searcher(cascade, internvl))
    assert list(result.gaps) == [
        "3 hits without a picture to compare: captioned.jpg, right.jpg, other.jpg"
    ]


def test_what_the_index_loses(tmp_path: Path) -> None:
    """A coarse index over random vectors; what is right is what exact search finds."""
    encoder, random = FakeEncoder(), np.random.default_rng(1)
    options = IndexOptions("ivf-rabitq", recall=0.05, tail_rows=0, gather_rows=0, threads=1)
    with closing(LocalStore(tmp_path, index=options)) as store:
        made = create(store, encoder)
        store_all(made, random, [1] * 1200)
        assert isinstance(made, LocalCollection)
        made.seal()
        texts = [f"thing {number}" for number in range(20)]
        rows = encoder.encode_texts(texts)["default"]
        exact = [[hit.asset for hit in made.search(row, effort=1.0).hits] for row in rows]
        coarse = [[hit.asset for hit in made.search(row, limit=80).hits[:10]] for row in rows]
        kept = 10 * np.mean([len(set(a) & set(b)) for a, b in zip(exact, coarse, strict=True)])
        right = [
            Judgement(text, dict.fromkeys(best, 1)) for text, best in zip(texts, exact, strict=True)
        ]
        (result,) = judged(made, *right)
    assert kept < 100
    found = changes(result, "R@10")
    assert found["encoder"][0] == 100
    assert found["index"] == pytest.approx((kept, kept - 100))
    assert values(result)["index agrees with exact search @10"] == pytest.approx(kept, abs=0.01)


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


def test_whether_nothing_is_relevant_is_not_known_of_every_encoder(
    cascade: Collection, internvl: InternVLEncoder
) -> None:
    asked = [Judgement(TEXT, {"right.jpg": 1}), Judgement("zebras", {})]
    (result,) = evaluate_judgements(asked, Searcher(cascade, internvl), rerank=0)
    [gap] = result.gaps
    assert gap.endswith("not scored before polylens index calibrate: zebras")
    known = Searcher(cascade, internvl, calibration=calibrate(cascade, internvl))
    (result,) = evaluate_judgements(asked, known, rerank=0)
    assert values(result)["nothing relevant, and said so"] in (0, 100)
    assert result.complete


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
        f'{{"query": "{"long " * 1000}", "relevant": []}}',
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
    with pytest.raises(InvalidDataset, match="has no query"):
        read_judgements(path)
