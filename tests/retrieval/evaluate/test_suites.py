"""Toy data sets in each public layout, with known answers, through the real code path."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from api.cli.evaluate import read_frames
from encoders import Encoder
from encoders.fake import FakeEncoder
from retrieval.errors import InvalidDataset
from retrieval.evaluate import Copy, Embeddings, Result, suite
from tests.retrieval.evaluate import toys

Write = Callable[[Path, toys.Captions, str], Path]
CAPTIONED: dict[str, tuple[Write, str]] = {
    "flickr30k": (toys.flickr30k, "zh"),
    "coco": (toys.coco, "zh"),
    "xtd": (toys.xtd, "ja"),
    "crossmodal3600": (toys.crossmodal, "sw"),
}


def run(name: str, copy: Copy, encoder: Encoder | None = None) -> list[Result]:
    embeddings = Embeddings(encoder or FakeEncoder())
    return [*suite(name).run(copy, lambda: embeddings, read_frames)]


def scores(result: Result) -> dict[str, float]:
    return {score.name: round(score.value, 3) for score in result.scores}


@pytest.mark.parametrize("name", CAPTIONED)
def test_right_captions_are_all_found(name: str, tmp_path: Path) -> None:
    write, other = CAPTIONED[name]
    write(tmp_path, toys.RIGHT, "en")
    (result,) = run(name, Copy(tmp_path, ["en"]))
    assert set(scores(result).values()) == {100.0}
    assert result.complete
    assert (result.dataset, result.language, result.counts["media"]) == (name, "en", 6)
    with pytest.raises(InvalidDataset, match=r"cannot be read|nothing of"):
        run(name, Copy(tmp_path, [other]))


@pytest.mark.parametrize("name", CAPTIONED)
def test_wrong_captions_cost_what_they_should(name: str, tmp_path: Path) -> None:
    """Three images in a ring: each has the next one's caption. The other three are right."""
    write, language = CAPTIONED[name]
    ring = {"red": ["green"], "green": ["blue"], "blue": ["red"]}
    write(tmp_path, {**ring, **{c: [c] for c in ("yellow", "cyan", "magenta")}}, language)
    (result,) = run(name, Copy(tmp_path, [language]))
    found = scores(result)
    assert found["image to text R@1"] == found["text to image R@1"] == 50.0
    assert found["image to text R@10"] == 100.0


def test_languages_that_a_data_set_lacks_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="no captions in tlh, only in en, zh"):
        run("flickr30k", Copy(tmp_path, ["tlh"]))


def test_all_languages_by_default(tmp_path: Path) -> None:
    toys.flickr30k(tmp_path)
    toys.flickr30k(tmp_path, language="zh")
    assert [result.language for result in run("flickr30k", Copy(tmp_path))] == ["en", "zh"]


def test_what_is_missing_is_counted_and_not_scored(tmp_path: Path) -> None:
    captions = {**toys.RIGHT, "white": ["black"], "black": ["", " "], "orange": ["purple", ""]}
    toys.flickr30k(tmp_path, captions)
    (tmp_path / "Images" / "white.jpg").unlink()
    (tmp_path / "Images" / "orange.jpg").write_bytes(b"no image")
    (result,) = run("flickr30k", Copy(tmp_path, ["en"]))
    assert set(scores(result).values()) == {100.0}
    assert result.counts == {"media": 6, "captions": 12}
    assert not result.complete
    assert list(result.gaps) == [
        "1 files missing: white.jpg",
        "3 empty captions: black.jpg, black.jpg, orange.jpg",
        "1 files without a caption: black.jpg",
        "1 files unreadable: orange.jpg",
    ]


def test_an_empty_copy_is_no_result(tmp_path: Path) -> None:
    toys.flickr30k(tmp_path)
    for path in (tmp_path / "Images").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(InvalidDataset, match="no file can be read: 6 files unreadable"):
        run("flickr30k", Copy(tmp_path, ["en"]))
    for path in (tmp_path / "Images").iterdir():
        path.unlink()
    with pytest.raises(InvalidDataset, match=r"nothing of flickr30k is in .*6 files missing"):
        run("flickr30k", Copy(tmp_path, ["en"]))


@pytest.mark.parametrize(
    ("name", "file", "content", "complaint"),
    [
        ("flickr30k", "flickr30k_test_karpathy.txt", "image,caption\nno comma", "line 2 has no"),
        ("coco", "coco_test_karpathy.json", "{", "is not JSON"),
        ("coco", "coco_test_karpathy.json", '{"images": [{}]}', "images and annotations"),
        (
            "coco",
            "coco_test_karpathy.json",
            '{"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": null}]}',
            "images and annotations",
        ),
        ("xtd", "multilingual_mscoco_captions-en.json", '{"image_paths": []}', "image_paths"),
        (
            "xtd",
            "multilingual_mscoco_captions-en.json",
            '{"image_paths": ["a"], "annotations": []}',
            "equally many",
        ),
        ("crossmodal3600", "captions.jsonl", '{"key": 1}', "line 1 is not an image"),
        ("crossmodal3600", "captions.jsonl", "\xff", "line 1"),
    ],
)
def test_files_of_another_form_are_named(
    name: str, file: str, content: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(content, "utf-8")
    with pytest.raises(InvalidDataset, match=complaint):
        run(name, Copy(tmp_path, ["en"]))


def test_videos_with_and_without_dual_softmax(tmp_path: Path) -> None:
    captions = {"red": ["red"], "green": ["green", "all green"], "blue": ["green"]}
    annotations = toys.msrvtt(tmp_path, captions)
    results = run("msrvtt", Copy(tmp_path, annotations=annotations, frames=3))
    assert [" with dual" in result.protocol for result in results] == [True, False]
    plain = scores(results[1])
    assert plain["text to video R@1"] == 75.0
    assert plain["video to text R@1"] == pytest.approx(200 / 3, abs=0.01)
    assert results[0].counts == {"media": 3, "captions": 4}


def test_videos_listed_in_a_table(tmp_path: Path) -> None:
    toys.msrvtt(tmp_path / "videos", {"red": ["x"], "blue": ["x"]})
    table = tmp_path / "MSRVTT_JSFUSION_test.csv"
    table.write_text("key,vid_key,video_id,sentence\n1,a,red,red\n2,b,blue,blue\n")
    results = run("msrvtt", Copy(tmp_path, annotations=table))
    assert scores(results[1])["text to video R@1"] == 100.0
    assert "of 8 uniform frames" in results[0].protocol
    with pytest.raises(InvalidDataset, match="--annotations"):
        run("msrvtt", Copy(tmp_path))


def test_a_video_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    annotations = toys.msrvtt(tmp_path, {"red": ["red"], "blue": ["blue"]})
    (tmp_path / "blue.mp4").write_bytes(b"no video")
    results = run("msrvtt", Copy(tmp_path, annotations=annotations))
    assert all(result.gaps == ["1 files unreadable: blue.mp4"] for result in results)


@pytest.mark.parametrize("folder", ["", "val"])
def test_classes_in_folders(folder: str, tmp_path: Path) -> None:
    names = {"n01": "red", "n02": "green", "n03": "blue", "n04": "yellow"}
    classes = toys.folders(tmp_path / "in" / folder, names)
    toys.save_image(tmp_path / "in" / folder / "n02" / "wrong.jpg", "blue")
    (result,) = run("imagenet", Copy(tmp_path / "in", classes=classes))
    found = scores(result)
    assert found["top 1"] == pytest.approx(100 * 8 / 9, abs=1e-3)
    assert found["mean class recall"] == pytest.approx(100 * (3 + 2 / 3) / 4, abs=1e-3)
    assert "top 5" not in found
    assert result.counts == {"images": 9, "classes": 4}
    assert "80 prompts" in result.protocol


def test_a_subset_of_the_classes(tmp_path: Path) -> None:
    """As ImageNet-A: names for all classes, folders for some, and only these compete."""
    classes = toys.folders(tmp_path / "in", {"n1": "red", "n2": "green"})
    with classes.open("a") as file:
        file.write("n3\tblue\n")
    (tmp_path / "in" / "unlisted").mkdir()
    (result,) = run("imagenet-a", Copy(tmp_path / "in", classes=classes))
    assert result.counts == {
        "images": 4,
        "classes": 2,
        "folders passed over": 1,
        "names passed over": 1,
    }


def test_images_without_class_folders_are_another_layout(tmp_path: Path) -> None:
    toys.save_image(tmp_path / "in" / "red.jpg", "red")
    (tmp_path / "names.txt").write_text("red\n")
    with pytest.raises(InvalidDataset, match="expected: a folder of images for each class"):
        run("folders", Copy(tmp_path / "in", classes=tmp_path / "names.txt"))


def test_numbered_folders_are_ordered_as_numbers(tmp_path: Path) -> None:
    colours = [*toys.COLOURS, "white", "black", "orange", "purple", "red"]
    toys.folders(tmp_path / "in", {str(at): colour for at, colour in enumerate(colours[:10])})
    classes = tmp_path / "names.txt"
    classes.write_text("\n".join(colours[:10]))
    (result,) = run("imagenetv2", Copy(tmp_path / "in", classes=classes))
    assert scores(result)["top 1"] == 100.0
    assert scores(result)["top 5"] == 100.0


def test_names_and_prompts_of_other_languages(tmp_path: Path) -> None:
    classes = toys.folders(tmp_path / "in", {"a": "red", "b": "blue"})
    templates = tmp_path / "templates.txt"
    templates.write_text("{c}の写真\n")
    copy = Copy(tmp_path / "in", ["ja"], classes=classes, templates=templates)
    (result,) = run("folders", copy)
    assert (result.language, scores(result)["top 1"]) == ("ja", 100.0)
    assert "1 prompts" in result.protocol


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ("a\tred\nb\tRed\n", "gives several classes the name 'red'"),
        ("a\tred\na\tblue\n", "names the folder 'a' twice"),
        ("a\tred\nblue\n", "is not 'folder<tab>name'"),
        ("red\nblue\ngreen\n", "3 names for 2 folders"),
        ("x\tred\n", "names none of the folders"),
    ],
)
def test_class_lists_that_do_not_fit(names: str, complaint: str, tmp_path: Path) -> None:
    classes = toys.folders(tmp_path / "in", {"a": "red", "b": "blue"})
    classes.write_text(names)
    with pytest.raises(InvalidDataset, match=complaint):
        run("imagenet", Copy(tmp_path / "in", classes=classes))


def test_classes_of_one_name_can_be_allowed(tmp_path: Path) -> None:
    classes = toys.folders(tmp_path / "in", {"a": "red", "b": "red"})
    (result,) = run("imagenet", Copy(tmp_path / "in", classes=classes, same_names=True))
    assert scores(result)["top 1"] == 50.0


def test_unknown_data_sets_are_named() -> None:
    with pytest.raises(InvalidDataset, match=r"no data set 'imagenet2', only flickr30k, coco"):
        suite("imagenet2")


def test_a_folder_without_images_is_counted(tmp_path: Path) -> None:
    classes = toys.folders(tmp_path / "in", {"a": "red", "b": "blue"})
    for path in (tmp_path / "in" / "b").iterdir():
        path.unlink()
    (result,) = run("imagenet", Copy(tmp_path / "in", classes=classes))
    assert list(result.gaps) == ["1 classes without an image: b"]


def test_frames_are_those_of_the_public_script(tmp_path: Path) -> None:
    """Of 30 frames the middles of 5 intervals: 3, 9, 15, 21, 27."""
    toys.msrvtt(tmp_path, {"red": ["red"]})
    path = tmp_path / "red.mp4"
    every: Iterator[NDArray[np.uint8]] = read_frames(path, 8)
    shots = list(every)
    assert len(shots) == 8
    some = list(read_frames(path, 2))
    np.testing.assert_array_equal(some, [shots[2], shots[6]])


def test_captions_are_cleaned_where_the_protocol_does(tmp_path: Path) -> None:
    loud: toys.Captions = {"red": ["RED! (red)"]}
    seen: dict[str, list[str]] = {}

    class Hearing(FakeEncoder):
        def encode_texts(self, texts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            seen.setdefault(name, []).extend(texts)
            return super().encode_texts(texts)

    for name, (write, _) in CAPTIONED.items():
        write(tmp_path / name, loud, "en")
        run(name, Copy(tmp_path / name, ["en"]), Hearing())
    assert seen == {
        "flickr30k": ["red red"],
        "coco": ["red red"],
        "xtd": ["RED! (red)"],
        "crossmodal3600": ["RED! (red)"],
    }
