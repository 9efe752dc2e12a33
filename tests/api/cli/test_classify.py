import json
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from encoders import LoadOptions
from encoders.fake import COLOURS
from encoders.internvl.load import load_internvl
from indexer import LocalStore
from retrieval.classify import ClassList, Prompts, zero_shot
from tests.api.cli.conftest import Run
from tests.encoders.internvl.tiny import DATA, TINY
from tests.media import encoded, frames, plain, save_video

PHOTO = DATA / "images" / "img0_rgb_320x240.png"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    path = tmp_path / "colours.txt"
    path.write_text("# what there is\n" + "\n".join(COLOURS), "utf-8")
    return path


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_files_and_videos_get_labels(run: Run, tmp_path: Path, classes: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (media / "a.png").write_bytes(encoded(plain("blue"), "PNG"))
    (media / "notes.txt").write_text("no media")
    save_video(media / "film.mp4", frames(("green",), each=40), fps=10)
    found = run("classify", media, "--classes", classes, "--json")
    assert found.code == 0, found.err
    labels = {Path(str(line["file"])).name: line["labels"] for line in lines(found.out)}
    assert {name: guesses[0]["label"] for name, guesses in labels.items()} == {  # type: ignore[index]
        "a.png": "blue",
        "film.mp4": "green",
    }
    assert "notes.txt: skipped: not an image or a video" in found.err
    shown = run("classify", media / "a.png", "--label", "red", "--label", "blue", "--top", 2)
    assert shown.out.split("\t")[1].startswith("blue 100%, red 0%")


def test_a_broken_file_is_told_and_the_rest_labelled(
    run: Run, tmp_path: Path, classes: Path
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encoded(plain("red"), "PNG"))
    bad.write_bytes(good.read_bytes()[:60])
    found = run("classify", bad, good, "--classes", classes)
    assert found.code == 3
    assert "good.png\tred 100%" in found.out
    assert "bad.png: " in found.err


def test_a_collection_is_labelled_and_tagged(run: Run, photos: Path, classes: Path) -> None:
    assert run("ingest", photos).code == 0
    found = run("classify", "--classes", classes, "--json")
    assert found.code == 0, found.err
    pictures = [line for line in lines(found.out) if str(line["file"]).endswith(".jpg")]
    assert pictures
    assert all(line["labels"][0]["label"] == Path(str(line["file"])).stem for line in pictures)  # type: ignore[index]
    stored = run("classify", "--classes", classes, "--store", "colour")
    assert stored.code == 0, stored.err
    assert "\tred" in stored.out
    red = '{"must": [{"key": "colour", "match": {"value": "red"}}]}'
    hits = json.loads(run("search", "blue", "--filter", red, "--json").out)["hits"]
    assert hits
    assert all("red" in hit["payload"]["colour"] for hit in hits)
    some = run("classify", "--classes", classes, "--filter", red, "--json")
    assert 0 < len(lines(some.out)) < len(lines(found.out))


def test_templates_of_ones_own(run: Run, tmp_path: Path, classes: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(encoded(plain("red"), "PNG"))
    templates = tmp_path / "templates.txt"
    templates.write_text("nothing but {c}\n")
    given = ("classify", picture, "--classes", classes, "--templates", templates)
    assert "\tred" in run(*given).out
    templates.write_text("nothing at all\n")
    refused = run(*given)
    assert refused.code == 1
    assert "line 1: 'nothing at all' has no {c} for the class" in refused.err


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        ([], 2, "one of --classes FILE, --label"),
        (["--label", "a", "--probe", "b"], 2, "one of --classes FILE, --label"),
        (["a.png", "--label", "a", "--store", "tags"], 2, "do not name files"),
        (["--label", "red", "--label", "Red"], 1, "entry 2: 'Red' is there already, at 1"),
        (["--label", "red", "--language", "ko"], 1, "no prompt templates in 'ko'"),
        (["--probe", "birds"], 1, "there is no probe 'birds'"),
        (["--probe", "../birds"], 1, "cannot be the name of a probe"),
        (["--label", "red", "--store", " "], 1, "the name of a payload key"),
        (["--label", "red", "--store", "kind"], 1, "--store kind: the file itself sets this key"),
        (["missing.png", "--label", "red"], 1, "does not exist"),
    ],
)
def test_what_cannot_be_says_what_to_do(
    run: Run, photos: Path, arguments: list[str], code: int, problem: str
) -> None:
    assert run("ingest", photos / "red.jpg").code == 0
    refused = run("classify", *arguments)
    assert refused.code == code
    assert problem in " ".join(refused.err.split())


def test_lists_are_read_before_a_model_is_loaded(run: Run, classes: Path) -> None:
    classes.write_text("red\nred\n")
    refused = run("classify", "a.png", "--classes", classes, "--encoder", "no/such-encoder")
    assert refused.code == 1
    assert "line 2: 'red' is there already, at 1" in refused.err


def test_internvl_crops_what_it_classifies_and_keeps_the_classifier(
    run: Run, tmp_path: Path
) -> None:
    names = ["a cat", "a bus"]
    labels = [part for name in names for part in ("--label", name)]
    given = ("classify", DATA / "images", *labels, "--top", 2, "--json", "--encoder", TINY)
    ran = [run(*given), run(*given)]
    kept = tmp_path / "data" / "cache" / "classifiers"
    assert len([*kept.iterdir()]) == 1
    encoder = load_internvl(str(TINY), LoadOptions(device="cpu"))
    classifier = zero_shot(encoder, ClassList.of(names), Prompts.in_language("en"))
    for found in ran:
        assert found.code == 0, found.err
        assert len(lines(found.out)) == 3
        for line in lines(found.out):
            with Image.open(str(line["file"])) as image:
                row = encoder.encode_pixels([encoder.preprocess(image, "class")])["c"]
            expected = {guess.label: guess.probability for guess in classifier.guess(row, top=2)[0]}
            assert {g["label"]: g["probability"] for g in line["labels"]} == pytest.approx(  # type: ignore[attr-defined]
                expected, abs=1e-4
            )


def examples(folder: Path, shades: dict[str, list[str]]) -> Path:
    """A folder for each label with a picture of each of its colours."""
    for label, colours in shades.items():
        (folder / label).mkdir(parents=True)
        for colour in colours:
            name = f"{colour.strip('#')}.png"
            (folder / label / name).write_bytes(encoded(plain(colour), "PNG"))
    return folder


WARM = ["#ff0000", "#f01005", "#e02000", "#ff2010", "#d00000", "#ee1111"]
COLD = ["#0000ff", "#0510f0", "#0020e0", "#1020ff", "#0000d0", "#1111ee"]


def test_a_probe_learns_from_folders_and_tags_a_collection(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    folder = examples(tmp_path / "examples", {"warm": WARM, "cold": COLD})
    (folder / "warm" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "beside.png").write_bytes(encoded(plain("red"), "PNG"))  # has no label
    trained = run("probe", "train", "mood", folder)
    assert trained.code == 0, trained.err
    assert "6\tcold" in trained.out
    assert "accuracy 1.000 on held-out examples" in trained.out
    assert "broken.png: " in trained.err
    assert "mood\t2 labels\tfake\ttrained on 12 examples" in run("probe", "list").out
    assert run("ingest", photos).code == 0
    assert run("classify", "--probe", "mood", "--store", "mood").code == 0
    with closing(LocalStore(tmp_path / "data").open("default")) as collection:
        moods = {r.payload["name"]: r.payload["mood"] for r in collection.scroll().records}
    assert moods["red.jpg"] == ["warm"]
    assert moods["film.mp4"] in (["warm"], ["cold"])
    blue = tmp_path / "blue.png"
    blue.write_bytes(encoded(plain("blue"), "PNG"))
    assert "\tcold" in run("classify", blue, "--probe", "mood").out


def test_a_file_in_several_folders_has_several_labels(run: Run, tmp_path: Path) -> None:
    shades = {"warm": WARM, "cold": COLD, "any": [*WARM[:4], *COLD[:4]], "third": ["#00ff00"] * 1}
    folder = examples(tmp_path / "examples", shades)
    (folder / "third" / "more.png").write_bytes(encoded(plain("#00ee11"), "PNG"))
    trained = run("probe", "train", "moods", folder)
    assert trained.code == 0, trained.err
    assert "8\tany" in trained.out
    assert "F1 " in trained.out


@pytest.mark.parametrize(
    ("shades", "problem"),
    [
        ({}, "holds no file"),
        ({"warm": WARM}, "at least two labels, not 1"),
        ({"warm": WARM, "cold": COLD[:1]}, "'cold' has 1 of 7 usable examples"),
    ],
)
def test_folders_that_teach_nothing(
    run: Run, tmp_path: Path, shades: dict[str, list[str]], problem: str
) -> None:
    folder = tmp_path / "examples"
    folder.mkdir()
    refused = run("probe", "train", "mood", examples(folder, shades))
    assert refused.code == 1
    assert problem in refused.err


def test_a_label_without_an_example_is_named(run: Run, tmp_path: Path) -> None:
    folder = examples(tmp_path / "examples", {"warm": WARM, "cold": COLD, "mild": []})
    refused = run("probe", "train", "mood", folder)
    assert refused.code == 1
    assert "has no example of 'mild'" in refused.err


def test_a_name_that_cannot_be_is_refused_before_the_work(run: Run, tmp_path: Path) -> None:
    refused = run("probe", "train", "../mood", tmp_path / "nowhere")
    assert refused.code == 1
    assert "'../mood' cannot be the name of a probe" in refused.err


def test_a_probe_of_another_encoder_is_refused(run: Run, photos: Path, tmp_path: Path) -> None:
    folder = examples(tmp_path / "examples", {"warm": WARM, "cold": COLD})
    assert run("probe", "train", "mood", folder, "--encoder", TINY, "--vector", "g").code == 0
    assert run("ingest", photos).code == 0
    refused = run("classify", "--probe", "mood")
    assert refused.code == 1
    assert "for a vector 'g' of 32 dimensions" in refused.err


def test_a_public_head_names_what_an_internvit_sees(run: Run, tmp_path: Path) -> None:
    import torch

    tower = DATA / "tiny_internvit_300m"
    width = 2 * json.loads((tower / "config.json").read_text())["hidden_size"]
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm1d(width, eps=1e-6)
    head = torch.nn.Sequential(norm, torch.nn.Linear(width, 3))
    torch.save(head.state_dict(), tmp_path / "tiny_head.pth")
    (tmp_path / "three.txt").write_text("one\ntwo\nthree\n")
    given = ("probe", "import", "imagenet", tmp_path / "tiny_head.pth")
    assert run(*given, "--classes", tmp_path / "three.txt").code == 0
    found = run("classify", PHOTO, "--probe", "imagenet", "--encoder", tower, "--top", 3, "--json")
    assert found.code == 0, found.err
    for line in lines(found.out):
        guesses = line["labels"]
        assert isinstance(guesses, list)
        assert {guess["label"] for guess in guesses} == {"one", "two", "three"}
        assert sum(guess["probability"] for guess in guesses) == pytest.approx(1)
