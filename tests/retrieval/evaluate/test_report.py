import json
from pathlib import Path

import pytest

from retrieval.evaluate import Result, Score, as_json, markdown, save
from retrieval.evaluate.published import PUBLISHED, RETRIEVAL, SIZES, Reference


def result(language: str = "en", **changes: object) -> Result:
    fields: dict[str, object] = {
        "dataset": "flickr30k",
        "language": language,
        "encoder": "OpenGVLab/some model",
        "vector": "c",
        "protocol": "as published",
        "counts": {"media": 1000, "captions": 5000},
        "scores": [Score("image to text R@1", 94.25, 94.7), Score("text to image R@1", 81.75)],
        "reference": "InternVL-C",
    }
    return Result(**(fields | changes))  # type: ignore[arg-type]


def test_ours_stand_beside_the_published_with_the_difference() -> None:
    text = markdown([result(), result("zh")])
    assert "| en | image to text R@1 | 94.2 | 94.7 | -0.5 |" in text
    assert "| zh | text to image R@1 | 81.8 |  |  |" in text
    assert text.count("## flickr30k") == 1
    assert "- en: 1000 media, 5000 captions" in text
    assert "| language | measure | ours | InternVL-C | difference |" in text


def test_without_published_numbers_there_is_no_column_for_them() -> None:
    text = markdown([result(scores=[Score("top 1", 50.0)], reference=None)])
    assert "| language | measure | ours |\n" in text
    assert "| en | top 1 | 50.0 |" in text


def test_what_is_missing_stands_out() -> None:
    text = markdown([result(gaps=["3 files missing: a.jpg, b.jpg, c.jpg"])])
    assert "**incomplete**: 3 files missing: a.jpg, b.jpg, c.jpg" in text
    (plain,) = as_json([result(gaps=["3 files missing"])])
    assert plain["complete"] is False


def test_both_forms_are_saved(tmp_path: Path) -> None:
    paths = save([result()], tmp_path / "new")
    assert [path.name for path in paths] == [
        "flickr30k-OpenGVLab-some-model.md",
        "flickr30k-OpenGVLab-some-model.json",
    ]
    assert paths[0].read_text() == markdown([result()])
    (plain,) = json.loads(paths[1].read_text())
    assert plain["scores"][0]["difference"] == pytest.approx(-0.45)
    assert plain["scores"][1]["published"] is None


def test_published_numbers_are_found_by_encoder_and_vector() -> None:
    tuned = "OpenGVLab/InternVL-14B-Flickr30K-FT-364px"
    assert Reference.of("internvl-g", "g", "coco", "zh").numbers["text to image R@10"] == 98.1
    assert Reference.of("internvl-c", "c", "xtd", "ja").numbers == {"image to text R@10": 95.5}
    assert Reference.of(tuned, "c", "flickr30k", "en").model == "InternVL-C Flickr30K-FT"
    assert Reference.of(tuned, "c", "flickr30k", "zh").model is None
    assert Reference.of("offline", "default", "coco", "en").model is None


def test_published_numbers_are_of_whole_data_sets() -> None:
    assert {(name, language) for _, name, language in PUBLISHED} == set(SIZES)
    ours = Reference.of("internvl-c", "c", "msrvtt", "en")
    assert ours.doubts(2990) == []
    assert ours.doubts(1000) == ["this copy lists 1000 files, the published numbers are of 2990"]
    assert Reference.of("fake", "default", "msrvtt", "en").doubts(1000) == []


@pytest.mark.parametrize(
    ("model", "language", "mean"),
    [("C", "en", 86.6), ("G", "en", 88.8), ("C", "zh", 89.0), ("G", "zh", 90.9)],
)
def test_published_averages_agree_with_their_rows(model: str, language: str, mean: float) -> None:
    rows = [PUBLISHED[f"InternVL-{model}", name, language] for name in ("flickr30k", "coco")]
    numbers = [row[name] for row in rows for name in RETRIEVAL]
    assert sum(numbers) / 12 == pytest.approx(mean, abs=0.1)
