from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from encoders.fake import FakeEncoder
from indexer import Filter, LocalCollection
from ingestion import ingest, walk
from ingestion.exif import photo_payload
from ingestion.images import Picture
from tests import media as make

NORTH_EAST: dict[int, Any] = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (52.0, 31.0, 12.0),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (13.0, 24.0, 18.0),
}


def exif(
    main: dict[int, Any] | None = None,
    photo: dict[int, Any] | None = None,
    gps: Mapping[int, Any] | None = None,
) -> Image.Exif:
    made = Image.Exif()
    made.update(main or {})
    made.get_ifd(IFD.Exif).update(photo or {})
    made.get_ifd(IFD.GPSInfo).update(gps or {})
    return made


def test_it_survives_the_way_through_a_file() -> None:
    written = exif(
        {Base.Make: "Fuji", Base.Model: "X100"},
        {Base.DateTimeOriginal: "2024:05:01 12:34:56", Base.OffsetTimeOriginal: "+02:00"},
        NORTH_EAST,
    )
    assert Picture(make.encoded(make.picture(), exif=written)).payload() == {
        "width": 64,
        "height": 48,
        "format": "JPEG",
        "taken": "2024-05-01T12:34:56+02:00",
        "camera": "Fuji X100",
        "location": {"lat": 52.52, "lon": 13.405},
    }


def test_nothing_known_is_nothing_said() -> None:
    assert photo_payload(Image.Exif()) == {}


@pytest.mark.parametrize(
    ("main", "photo", "expected"),
    [
        ({}, {Base.DateTimeOriginal: "2024:05:01 12:34:56"}, "2024-05-01T12:34:56Z"),
        ({Base.DateTime: "2020:01:02 03:04:05\0"}, {}, "2020-01-02T03:04:05Z"),
        ({}, {Base.DateTimeOriginal: "0000:00:00 00:00:00"}, None),
        ({}, {Base.DateTimeOriginal: "    :  :     :  :  "}, None),
        ({}, {Base.DateTimeOriginal: 7}, None),
        (
            {},
            {Base.DateTimeOriginal: "2024:05:01 12:34:56", Base.OffsetTimeOriginal: "soon"},
            "2024-05-01T12:34:56Z",
        ),
    ],
)
def test_taken(main: dict[int, Any], photo: dict[int, Any], expected: str | None) -> None:
    assert photo_payload(exif(main, photo)).get("taken") == expected


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [("Canon", "Canon EOS R5", "Canon EOS R5"), ("", "X", "X"), ("Leica", "", "Leica")],
)
def test_camera(make: str, model: str, expected: str) -> None:
    assert photo_payload(exif({Base.Make: make, Base.Model: model}))["camera"] == expected


def test_south_and_west_are_negative() -> None:
    gps = NORTH_EAST | {GPS.GPSLatitudeRef: "S", GPS.GPSLongitudeRef: "W"}
    assert photo_payload(exif(gps=gps))["location"] == {"lat": -52.52, "lon": -13.405}


@pytest.mark.parametrize(
    "latitude", [None, (91.0, 0.0, 0.0), (float("nan"), 0.0, 0.0), (1.0, 2.0), "north"]
)
def test_a_place_that_cannot_be_is_left_out(latitude: object) -> None:
    assert "location" not in photo_payload(exif(gps=NORTH_EAST | {GPS.GPSLatitude: latitude}))


def test_photos_are_found_by_where_they_were_taken(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    (media / "berlin.jpg").write_bytes(make.encoded(make.picture(1), exif=exif(gps=NORTH_EAST)))
    (media / "nowhere.jpg").write_bytes(make.encoded(make.picture(2)))
    list(ingest(walk(media), encoder, collection))
    circle = {"center": {"lat": 52.5, "lon": 13.4}, "radius": 5_000}
    near = Filter.parse({"must": [{"key": "location", "geo_radius": circle}]})
    assert [record.payload["name"] for record in collection.scroll(near).records] == ["berlin.jpg"]
