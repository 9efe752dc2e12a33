"""Read lists from text files: one entry per line, `#` starts a comment."""

from pathlib import Path

from retrieval.errors import InvalidClasses

MAX_BYTES = 16 << 20


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Number and text of each line that is neither blank nor a remark; raises `InvalidClasses`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidClasses(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidClasses(f"{path} is not UTF-8 text: {error.reason}") from error
    if len(data) > MAX_BYTES:
        raise InvalidClasses(f"{path} has more than {MAX_BYTES >> 20} MiB: is it a list?")
    numbered = enumerate(text.splitlines(), start=1)
    return [(at, line) for at, line in numbered if line.strip() and not line.startswith("#")]
