import gc
import os
import threading
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from ingestion import Limits, MediaError, read_frame
from ingestion.formats import MP4
from ingestion.messages import WHOLE, PoolKey
from ingestion.options import VideoOptions
from ingestion.segments import Clip
from ingestion.shots import cuts
from ingestion.timeline import Timeline
from ingestion.video import AvReader, DecordReader, SparseReader, Unreadable, Video
from tests import media
from tests.fields import save_fields

FPS = 15
RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)
CODECS = [
    (".mp4", "libx264"),
    (".mp4", "libx265"),
    (".mov", "mpeg4"),
    (".mkv", "libx264"),
    (".webm", "libvpx"),
    (".mkv", "libsvtav1"),
    (".avi", "libx264"),
    (".avi", "mpeg4"),
    (".wmv", "wmv2"),
    (".flv", "flv"),
    (".ts", "libx264"),
    (".mpg", "mpeg2video"),
]


def ramp(count: int) -> list[media.RGBFrame]:
    """Frames told apart by a white bar: frame n has it at column 2n."""
    shots = []
    for number in range(count):
        shot = np.full((120, 2 * count + 32, 3), (0, 0, 160), np.uint8)
        shot[:, 2 * number : 2 * number + 16] = 255
        shots.append(shot)
    return shots


def bar(image: media.RGBFrame) -> float:
    """The number of a frame of `ramp`, about."""
    columns = np.flatnonzero(image[..., 0].mean(axis=0) > 128)
    return float(columns.mean() - 7.5) / 2


def colour(image: media.RGBFrame | Image.Image) -> tuple[int, ...]:
    """The pure colour nearest to that at the bottom right."""
    pixel = np.asarray(image)[-3, -3].astype(int)
    return min((RED, GREEN, BLUE), key=lambda pure: int(np.abs(pixel - pure).sum()))


@pytest.mark.parametrize(("suffix", "codec"), CODECS)
def test_the_frame_on_screen_is_read_whatever_the_container(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
    path = media.save_video(
        tmp_path / f"v{suffix}", ramp(100), codec=codec, fps=25, gop=12, options=options
    )
    video = Video(path)
    asked = [number / 25 + 0.02 for number in (0, 7, 8, 29, 50, 51, 75, 98)]
    shots = list(video.shots(asked))
    assert len(video.timeline.times) == pytest.approx(100, abs=1)
    assert video.timeline.duration == pytest.approx(4.0, abs=0.05)
    assert [shot.at for shot in shots] == list(range(8))
    assert np.array([shot.time * 25 for shot in shots]) == pytest.approx(
        [0, 7, 8, 29, 50, 51, 75, 98], abs=0.2
    )
    assert np.array([bar(shot.image) for shot in shots]) == pytest.approx(
        [0, 7, 8, 29, 50, 51, 75, 98], abs=0.6
    )
    assert video.damage() == ""
    assert bar(np.asarray(read_frame(path, 51 / 25 + 0.02))) == pytest.approx(51, abs=0.6)


def test_both_readers_see_the_same(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red", "green"], each=30))
    times = [0.0, 0.5, 2.1, 3.9]
    timeline = Timeline.read(path, Limits())
    one, other = DecordReader(path, timeline), AvReader(path, timeline)
    for left, right in zip(one.shots(times), other.shots(times), strict=True):
        assert left.time == pytest.approx(right.time, abs=1e-6)
        assert np.abs(left.image.astype(int) - right.image).mean() < 3


@pytest.mark.parametrize("width", [16, 32, 96, 144])
def test_widths_at_which_decord_reads_padding_are_left_to_the_other_reader(
    tmp_path: Path, width: int
) -> None:
    shots = [frame[:, :width] for frame in ramp(60)]
    path = media.save_video(tmp_path / "v.mp4", shots)
    timeline = Timeline.read(path, Limits())
    assert timeline.regular
    seen, true = Video(path).shots([0.0, 1.5]), AvReader(path, timeline).shots([0.0, 1.5])
    for one, other in zip(seen, true, strict=True):
        assert np.array_equal(one.image, other.image)


CODINGS = {
    "h264": (".mp4", "libx264", {}),
    "h264 in matroska": (".mkv", "libx264", {"bf": "4", "b-pyramid": "strict"}),
    "h264 without b": (".mov", "libx264", {"bf": "0"}),
    "h264 without index": (".ts", "libx264", {}),
    "hevc": (".mp4", "libx265", {"x265-params": "open-gop=0:log-level=none"}),
    "hevc of open groups": (".mp4", "libx265", {"x265-params": "open-gop=1:log-level=none"}),
    "hevc of two layers": (
        ".mkv", "libx265", {"x265-params": "open-gop=0:temporal-layers=2:log-level=none"},
    ),
    "vp9": (".webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "av1": (".mkv", "libsvtav1", {}),
    "mpeg4": (".mp4", "mpeg4", {}),
    "mpeg4 of open groups": (".mp4", "mpeg4", {"bf": "2"}),
}  # fmt: skip


@pytest.mark.parametrize("coding", CODINGS)
def test_decoding_little_gives_the_same_frames(tmp_path: Path, coding: str) -> None:
    suffix, codec, options = CODINGS[coding]
    path = media.save_video(
        tmp_path / f"v{suffix}", ramp(100), codec=codec, fps=25, gop=12, options=options
    )
    timeline = Timeline.read(path, Limits())
    every = [number / 25 for number in range(100)]
    shown = list(AvReader(path, timeline).shots(every))
    for asked in ([0], [99], [2, 3, 30, 31, 47, 48, 70], [5, 5, 64], range(100)):
        shots = list(SparseReader(path, timeline).shots([every[number] for number in asked]))
        assert [(shot.at, shot.time) for shot in shots] == [
            (at, shown[number].time) for at, number in enumerate(asked)
        ]
        for shot, number in zip(shots, asked, strict=True):
            assert (shot.image == shown[number].image).all()


def test_interlaced_frames_are_left_to_the_other_reader(tmp_path: Path) -> None:
    fields = {"flags": "+ildct+ilme"}
    path = media.save_video(tmp_path / "v.mp4", ramp(30), options=fields)
    with pytest.raises(Unreadable):
        list(SparseReader(path, Timeline.read(path, Limits())).shots([0.5]))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("suffix", [".ts", ".mp4", ".mkv"])
def test_frames_coded_as_two_fields_are_put_together(
    tmp_path: Path, suffix: str, *, apart: bool, progressive: bool
) -> None:
    path = save_fields(tmp_path / f"v{suffix}", 40, apart=apart, progressive=progressive)
    with av.open(str(path)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    video = Video(path)
    assert video.timeline.times == pytest.approx(np.arange(40) / 25, abs=1e-3)
    assert video.timeline.duration == pytest.approx(1.6, abs=1e-3)
    asked = [0, 3, 11, 12, 30, 39]
    shots = list(video.shots([number / 25 + 0.01 for number in asked]))
    assert video.damage() == ""
    assert [round(shot.time * 25) for shot in shots] == asked
    for shot, number in zip(shots, asked, strict=True):
        assert (shot.image == whole[number]).all()


def test_what_no_frame_wanted_needs_is_not_decoded(tmp_path: Path) -> None:
    evenly = {"sc_threshold": "0"}
    path = media.save_video(tmp_path / "v.mp4", ramp(100), fps=25, gop=25, options=evenly)
    timeline = Timeline.read(path, Limits())
    asked = [0.2, 0.6, 2.2]
    before = list(SparseReader(path, timeline).shots(asked))
    spoil(path, lambda seconds: 0.8 <= seconds < 2 or seconds >= 2.4)
    after = list(SparseReader(path, timeline).shots(asked))
    assert [shot.time for shot in after] == asked
    assert all((old.image == new.image).all() for old, new in zip(before, after, strict=True))


def test_spare_frames_are_not_decoded(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", ramp(100), fps=25, gop=100, options={"bf": "3"})
    timeline = Timeline.read(path, Limits())
    before = list(SparseReader(path, timeline).shots([0.0, 3.88]))
    assert spoil(path, lambda seconds: round(seconds, 2) != 3.88, spare=True) > 20
    after = list(SparseReader(path, timeline).shots([0.0, 3.88]))
    assert all((old.image == new.image).all() for old, new in zip(before, after, strict=True))


def spoil(path: Path, where: Callable[[float], bool], *, spare: bool = False) -> int:
    """Overwrite the slices of H.264 at these seconds, or only those that no frame refers to."""
    data, count = bytearray(path.read_bytes()), 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if not packet.size or not where(float(packet.pts * packet.time_base)):
                continue
            at = packet.pos
            while at < packet.pos + packet.size:
                size, header = int.from_bytes(data[at : at + 4], "big"), data[at + 4]
                if not spare or header == 1:  # nal_ref_idc is 0, nal_unit_type 1
                    data[at + 5 : at + 4 + size] = bytes(size - 1)
                    count += 1
                at += 4 + size
    path.write_bytes(data)
    return count


def test_the_other_reader_goes_on_at_damage(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", ramp(100), fps=25, gop=25)
    timeline = Timeline.read(path, Limits())
    spoil(path, lambda seconds: 1 <= seconds < 2)
    asked = [0.2, 1.2, 1.6, 3.2]
    with pytest.raises(Unreadable):
        list(SparseReader(path, timeline).shots(asked))
    video = Video(path)
    video._reader = SparseReader(path, timeline)
    shots, others = list(video.shots(asked)), list(AvReader(path, timeline).shots(asked))
    assert len(shots) < len(asked)
    assert [shot.at for shot in shots] == [shot.at for shot in others]
    assert all((one.image == other.image).all() for one, other in zip(shots, others, strict=True))
    assert video.damage()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    times_ms = [*range(0, 1000, 40), *range(1000, 9000, 400)]
    shots = media.frames(["red"], each=25) + media.frames(["green", "blue"], each=10)
    path = media.save_video(tmp_path / f"v{suffix}", shots, times_ms=times_ms)
    video = Video(path)
    assert video.timeline.times * 1000 == pytest.approx(np.array(times_ms), abs=1)
    assert [colour(shot.image) for shot in video.shots([0.5, 2.0, 4.7, 5.0, 8.9])] == [
        RED, GREEN, GREEN, BLUE, BLUE,
    ]  # fmt: skip
    assert colour(read_frame(path, 4.9)) == GREEN


def test_time_counts_from_the_first_frame(tmp_path: Path) -> None:
    shots = media.frames(["red", "blue"], each=10)
    path = media.save_video(
        tmp_path / "v.mkv", shots, times_ms=[5000 + 100 * at for at in range(20)]
    )
    video = Video(path)
    assert video.timeline.times[0] == 0
    assert video.timeline.duration == pytest.approx(2.0, abs=0.01)
    assert colour(read_frame(path, 0.9)) == RED
    assert colour(read_frame(path, 1.1)) == BLUE


@pytest.mark.parametrize("reader", [DecordReader, SparseReader, AvReader])
def test_a_turned_video_is_upright(tmp_path: Path, reader: type[AvReader]) -> None:
    shot = np.zeros((120, 160, 3), np.uint8)
    shot[:, :80] = RED
    shot[:, 80:] = BLUE
    path = media.save_video(tmp_path / "v.mp4", [shot] * 30)
    media.turn_video(path)
    (turned,) = reader(path, Timeline.read(path, Limits())).shots([0.5])
    assert turned.image.shape == (160, 120, 3)
    assert colour(turned.image[:20]) == RED
    assert colour(turned.image[-20:]) == BLUE
    assert read_frame(path, 0.5).size == (120, 160)


def test_a_frame_for_a_thumbnail_is_no_larger_than_asked(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red", "green", "blue"]))
    assert read_frame(path, 0.0, max_side=80).size == (80, 60)
    assert [colour(read_frame(path, at)) for at in (0.5, 1.5, 2.5, 99.0)] == [
        RED, GREEN, BLUE, BLUE,
    ]  # fmt: skip


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="sound but no video"):
        Video(media.save_sound(tmp_path / "v.mp4"))


def test_large_frames_are_refused(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red"]))
    with pytest.raises(MediaError, match="160 x 120 pixels"):
        Video(path, Limits(max_pixels=100 * 100))


def test_a_file_without_its_index_is_refused(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red", "blue"]))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov")])
    with pytest.raises(MediaError, match="not a readable video"):
        Video(path)


def clip(path: Path) -> Clip:
    made = Clip(path, MP4, Limits(), VideoOptions())
    for _ in made.frames():
        pass
    return made


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_a_video_cut_short_is_read_as_far_as_it_goes(
    tmp_path: Path, suffix: str, tenth: int
) -> None:
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(90)]
    path = media.save_video(
        tmp_path / f"v{suffix}", noise, container_options={"movflags": "faststart"}
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * tenth // 10])
    read = clip(path)
    assert read.points()
    if suffix in (".mp4", ".mkv") and tenth < 9:  # the others promise no duration
        assert read.damage()


def test_damage_in_the_middle_is_stepped_over(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red", "green", "blue"], each=60))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 8
    length = data.index(b"moov") - start
    data[start + length // 3 : start + length // 2] = b"\xff" * (length // 2 - length // 3)
    path.write_bytes(data)
    video = Video(path)
    shots = list(video.shots([0.5, 1.0, 11.0, 11.5]))
    assert [colour(shot.image) for shot in (shots[0], shots[-1])] == [RED, BLUE]


def test_made_up_times_are_left_to_the_other_reader(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.avi", media.frames(["red"]))
    assert not Timeline.read(path, Limits()).regular
    assert len(list(Video(path).shots([0.0, 0.5]))) == 2


def test_a_video_that_decord_refuses_is_left_to_the_other_reader(tmp_path: Path) -> None:
    made = media.save_video(tmp_path / "v.mp4", media.frames(["red", "blue"]))
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/\xff.mp4"))
    made.rename(odd)
    timeline = Timeline.read(odd, Limits())
    assert timeline.regular
    with pytest.raises(Unreadable):
        DecordReader(odd, timeline)
    assert colour(next(Video(odd).shots([1.5])).image) == BLUE


def test_open_groups_of_pictures_are_read_right(tmp_path: Path) -> None:
    path = media.save_video(
        tmp_path / "v.mp4",
        ramp(45),
        codec="libx265",
        options={"x265-params": "open-gop=1:log-level=none"},
    )
    assert not Timeline.read(path, Limits()).regular
    shots = Video(path).shots([number / 15 + 0.01 for number in range(45)])
    assert np.array([bar(shot.image) for shot in shots]) == pytest.approx(range(45), abs=0.6)


def test_a_header_that_claims_more_frames_than_there_are(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red", "blue"]))
    data = bytearray(path.read_bytes())
    count = data.index(b"stts") + 12
    data[count : count + 4] = b"\x3f\0\0\0"
    path.write_bytes(data)
    assert not Timeline.read(path, Limits()).regular
    assert [colour(shot.image) for shot in Video(path).shots([0.5, 1.5])] == [RED, BLUE]


@pytest.mark.parametrize("seed", range(30))
def test_flipped_bytes_never_escape_as_other_errors(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    suffix = (".mp4", ".mkv", ".ts")[seed % 3]
    path = media.save_video(tmp_path / f"v{suffix}", media.frames(["red", "blue"]))
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[rng.integers(0, len(data), 20)] = rng.integers(0, 256, 20)
    path.write_bytes(data.tobytes())
    with suppress(MediaError):
        assert clip(path).points()


def test_a_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    made = media.save_video(tmp_path / "v.mp4", media.frames(["red", "blue"]))
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\xfe.mp4"))
    made.rename(odd)
    assert colour(next(Video(odd).shots([1.5])).image) == BLUE
    assert colour(read_frame(odd, 1.5)) == BLUE


def test_threads_read_side_by_side(tmp_path: Path) -> None:
    paths = [
        media.save_video(tmp_path / f"{name}.mp4", media.frames([name], each=30))
        for name in ("red", "green", "blue")
    ]
    seen: list[tuple[str, set[tuple[int, ...]]]] = []

    def read(path: Path) -> None:
        for _ in range(5):
            shots = Video(path).shots([0.1, 0.7, 1.9])
            seen.append((path.stem, {colour(shot.image) for shot in shots}))

    threads = [threading.Thread(target=read, args=(path,)) for path in paths * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {"red": RED, "green": GREEN, "blue": BLUE}
    assert len(seen) == 30
    assert all(colours == {expected[name]} for name, colours in seen)


def test_readers_leave_no_file_open(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red"]))

    for _ in range(3):
        list(Video(path).shots([0.1, 0.5]))
        list(AvReader(path, Timeline.read(path, Limits())).shots([0.1]))
        read_frame(path, 0.2)
    gc.collect()
    held = [fd for fd in Path("/proc/self/fd").iterdir() if fd.exists() and fd.samefile(path)]
    assert held == []


def test_frames_further_apart_than_a_header_can_mean(tmp_path: Path) -> None:
    path = media.save_video(
        tmp_path / "gap.mkv", media.frames(["red"], each=2), times_ms=[0, 10**12]
    )
    video = Video(path)
    assert [shot.time for shot in video.shots([0.0])] == [0.0]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_keyframes_alone_can_be_looked_at(tmp_path: Path, suffix: str) -> None:
    evenly = {"sc_threshold": "0"}
    path = media.save_video(tmp_path / f"v{suffix}", ramp(100), fps=25, gop=20, options=evenly)
    video = Video(path, keyframes=True)
    keys = [0, 20, 40, 60, 80]
    assert video.timeline.times * 25 == pytest.approx(np.array(keys), abs=0.1)
    assert video.timeline.duration == pytest.approx(4.0, abs=0.05)
    shots = list(video.shots([0.5, 1.0, 3.9]))
    assert np.array([bar(shot.image) for shot in shots]) == pytest.approx([0, 20, 80], abs=0.6)
    assert video.damage() == ""


def test_containers_that_do_not_tell_times_show_all_frames(tmp_path: Path) -> None:
    path = media.save_video(tmp_path / "v.avi", ramp(50), fps=25, gop=20)
    assert len(Video(path, keyframes=True).timeline.times) == 50


@pytest.mark.parametrize("kind", [SparseReader, AvReader])
def test_far_frames_are_reached_by_a_jump(tmp_path: Path, kind: type[AvReader]) -> None:
    path = media.save_video(tmp_path / "v.mp4", ramp(120), fps=1, gop=10)
    timeline = Timeline.read(path, Limits())
    reader = kind(path, timeline)
    asked = [3.2, 47.5, 48.5, 49.5, 119.9]
    shots = list(reader.shots(asked))
    assert [shot.at for shot in shots] == list(range(5))
    assert np.array([bar(shot.image) for shot in shots]) == pytest.approx(
        [3, 47, 48, 49, 119], abs=0.6
    )
    through = reader.shots(np.arange(120).tolist())
    images = {shot.time: shot.image for shot in through}
    assert all((images[shot.time] == shot.image).all() for shot in shots)


def test_cuts_are_found_and_movement_is_none(tmp_path: Path) -> None:
    colours = ["red"] * 31 + ["green"] * 20 + ["blue"] * 2 + ["yellow"] * 40
    shots = [
        shot
        for at, name in enumerate(colours)
        for shot in media.frames([name], each=40)[at % 40 : at % 40 + 1]
    ]
    path = media.save_video(tmp_path / "v.mp4", shots, fps=10)
    found = cuts(path, Timeline.read(path, Limits()))
    assert found == pytest.approx([3.1, 5.1], abs=0.01)  # blue is too short to be a shot
    path = media.save_video(tmp_path / "pan.mp4", ramp(100), fps=25)
    assert cuts(path, Timeline.read(path, Limits())) == []


def test_segments_end_at_cuts(tmp_path: Path) -> None:
    shots = media.frames(["red"], each=27) + media.frames(["green"], each=65)
    path = media.save_video(tmp_path / "v.mp4", shots, fps=10)
    clip = Clip(path, MP4, Limits(), VideoOptions(shots=True))
    seen: dict[PoolKey, set[tuple[int, ...]]] = defaultdict(set)
    for image, pools in clip.frames():
        for pool in pools:
            seen[pool].add(colour(image))
    assert seen.pop(WHOLE) == {RED, GREEN}
    assert seen == {("segment", 0): {RED}, ("segment", 2700): {GREEN}, ("segment", 6700): {GREEN}}


def test_hours_are_read_in_constant_memory(tmp_path: Path) -> None:
    times = list(range(0, 3 * 3600 * 1000, 3000))
    tones = np.random.default_rng(0).integers(60, 256, (len(times), 3), dtype=np.uint8)
    shots = [np.tile(tone, (48, 64, 1)) for tone in tones]
    path = media.save_video(
        tmp_path / "v.mp4", shots, times_ms=times, options={"preset": "ultrafast"}
    )
    clip = Clip(path, MP4, Limits(), VideoOptions())
    tracemalloc.start()
    count = parts = 0
    for _ in clip.frames():
        count += 1
        parts += len(clip.part())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 3500  # a few repeat the one before
    assert parts > 2600
    assert len(clip.points()) == 2701
    assert clip.points()[WHOLE]["duration"] == 3 * 3600
    assert peak < 40e6
