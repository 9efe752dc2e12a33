from pathlib import Path

from encoders.fake import FakeEncoder
from indexer import LocalCollection
from ingestion.crew import Crew
from ingestion.decoding import Decoder
from ingestion.items import Item
from ingestion.jobs import Frame, Job
from ingestion.messages import Setup
from ingestion.options import IngestOptions
from ingestion.patience import Patience
from ingestion.pipes import Window
from ingestion.progress import Meter
from tests import media as make


class Watched(Window):
    """A window that remembers what was taken from it."""

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.taken: list[int] = []
        self.held = 0

    def take(self, count: int) -> float:
        self.taken.append(count)
        self.held += count
        return super().take(count)

    def give_back(self, count: int) -> None:
        self.held -= count
        super().give_back(count)


def test_a_picture_takes_the_bytes_of_its_pixels_and_leaves_those_of_its_frame(
    media: Path, collection: LocalCollection
) -> None:
    encoder, options, window = FakeEncoder(), IngestOptions(), Watched()
    decoder = Decoder(encoder.info, collection, options, window, Meter(), Patience())
    crew = Crew(Setup(encoder.preprocess, options.limits, options.video))
    sizes = [(64, 48), (1200, 900)]
    frames = []
    with crew.helper() as helper:
        for seed, size in enumerate(sizes):
            path = media / f"{seed}.png"
            path.write_bytes(make.encoded(make.picture(seed, size), "PNG"))
            decoded = decoder.decode(Job.of(Item.of_file(path), None), helper)
            frames += [one for one in decoded if isinstance(one, Frame)]
    assert len(window.taken) == len(frames) == 2
    for taken, (width, height) in zip(window.taken, sizes, strict=True):
        assert 3 * width * height <= taken <= 10 * width * height + 100_000
    costs = [frame.cost for frame in frames]
    assert costs == [frame.content.nbytes for frame in frames if not isinstance(frame.content, str)]
    assert window.held == sum(costs)
