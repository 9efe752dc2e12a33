from pathlib import Path

import av
import pytest

from indexer import LocalCollection
from ingestion import SourceOptions, open_source
from ingestion.film import film_payload
from tests import media as make
from tests.ingestion.conftest import ingested, payloads


def test_what_phones_write() -> None:
    apple = {
        "creation_time": "2024-05-01T10:00:00.000000Z",
        "com.apple.quicktime.creationdate": "2024-05-01T12:00:00+0200",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 15",
        "com.apple.quicktime.location.ISO6709": "+48.8577+002.2950+035.000/",
    }
    assert film_payload(apple, "hevc") == {
        "codec": "hevc",
        "taken": "2024-05-01T12:00:00+02:00",
        "camera": "Apple iPhone 15",
        "location": {"lat": 48.8577, "lon": 2.295},
    }
    android = {"creation_time": "2024-05-01T10:00:00.5Z", "location": "-33.8568+151.2153/"}
    assert film_payload(android, "h264") == {
        "codec": "h264",
        "taken": "2024-05-01T10:00:00Z",
        "location": {"lat": -33.8568, "lon": 151.2153},
    }


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"creation_time": "1904-01-01T00:00:00Z"},
        {"creation_time": "1970-01-01T00:00:00Z"},
        {"date": "2024"},
        {"creation_time": "yesterday"},
        {"location": "+91+000/"},
        {"location": "Paris"},
        {"location": "+48.8577"},
        {"model": ""},
    ],
)
def test_what_tells_nothing_is_left_out(tags: dict[str, str]) -> None:
    assert film_payload(tags, "") == {}


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_it_stands_in_the_payload(
    suffix: str, tmp_path: Path, media: Path, collection: LocalCollection
) -> None:
    plain = make.save_video(tmp_path / f"plain.{suffix}", make.frames(["red", "blue"]))
    tags = {"creation_time": "2024-05-01T10:00:00Z", "location": "+48.8577+002.2950/"}
    with av.open(str(plain)) as source, av.open(str(media / f"v.{suffix}"), "w") as target:
        target.metadata.update(tags)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    ingested(open_source(str(media), SourceOptions()), collection)
    for said in payloads(collection).values():
        assert said["codec"] == "h264"
        assert said["taken"] == "2024-05-01T10:00:00Z"
        assert said["duration"] > 1.9
