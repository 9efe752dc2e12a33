"""Class lists and prompts as people write them."""

from pathlib import Path

import pytest

from retrieval.classify import LANGUAGES, ClassList, Prompts
from retrieval.errors import InvalidClasses


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_file_has_one_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff# animals\ncat\n\n  dog \nfish\ta fish in water\n猫\n")
    found = ClassList.read(path)
    assert found.labels == ("cat", "dog", "fish", "猫")
    assert found.words == ("cat", "dog", "a fish in water", "猫")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cat\ndog\nCat\n", r"list.txt, line 3: 'Cat' is there already, at 1"),
        ("cat\n# more\n cat \n", r"line 3: 'cat' is there already, at 1"),
        ("caf\u00e9\ncafe\u0301\n", r"line 2: 'café' is there already"),
        ("a\tred\nb\tred\n", r"line 2: 'red' is there already, at 1"),
        ("\tred\n", r"line 1: the class has no name"),
        ("x" * 300, "more than 256 characters"),
        ("# nothing\n", "1 to 20000 classes, not 0"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_a_bad_list_names_the_line(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(InvalidClasses, match=problem):
        ClassList.read(written(tmp_path, text))


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidClasses, match=r"missing.txt cannot be read: No such file"):
        ClassList.read(tmp_path / "missing.txt")


def test_duplicates_of_a_list_in_memory_are_refused_too() -> None:
    with pytest.raises(InvalidClasses, match=r"entry 2: 'a' is there already, at 1"):
        ClassList.of(["a", "a"])


@pytest.mark.parametrize(
    ("language", "count"), [("en", 80), ("zh", 80), ("ja", 40), ("ar", 55), ("it", 49)]
)
def test_our_templates_differ_and_have_a_place(language: str, count: int) -> None:
    prompts = Prompts.in_language(language)
    assert len(set(prompts.templates)) == len(prompts.templates) == count
    assert all(template.count("{c}") == 1 for template in prompts.templates)
    assert set(LANGUAGES) == {"en", "zh", "ja", "ar", "it"}


def test_a_region_is_passed_over_and_an_unknown_language_names_the_known() -> None:
    assert Prompts.in_language("zh-TW") == Prompts.in_language("zh_CN") == Prompts.in_language("ZH")
    with pytest.raises(InvalidClasses, match=r"in 'ko', only in en, zh, ja, ar, it"):
        Prompts.in_language("ko")


def test_templates_of_ones_own(tmp_path: Path) -> None:
    path = written(tmp_path, "# mine\nein Foto von {c}\n{c}, {c}!\n")
    assert Prompts.read(path).of_class("Hund") == ["ein Foto von Hund", "Hund, Hund!"]
    with pytest.raises(InvalidClasses, match=r"line 1: 'a photo' has no \{c\} for the class"):
        Prompts.read(written(tmp_path, "a photo\n"))
    with pytest.raises(InvalidClasses, match="1 to 500 templates, not 0"):
        Prompts.of([])
    with pytest.raises(InvalidClasses, match="template 1 has more than 512"):
        Prompts.of(["{c}" * 200])
