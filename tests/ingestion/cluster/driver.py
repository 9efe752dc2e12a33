"""A driver to be killed: ingests, and prints a line for each file.

python -m tests.ingestion.cluster.driver ADDRESS URL DATA MEDIA
"""

import sys
from pathlib import Path

from encoders import LoadOptions
from indexer.qdrant.store import QdrantStore
from ingestion import IngestOptions, VideoOptions, walk
from ingestion.cluster import open_fleet

OPTIONS = IngestOptions(
    batch_size=4, workers=1, video=VideoOptions(segment_seconds=0.5, segment_frames=2)
)

if __name__ == "__main__":
    address, url, data, media = sys.argv[1:]
    collection = QdrantStore(url, Path(data)).open("photos")
    with open_fleet("fake", LoadOptions(device="cpu,cpu"), address) as fleet:
        print("started", flush=True)
        for step in fleet.ingest(walk(Path(media)), collection, OPTIONS):
            if step.event:
                print(step.event.asset, flush=True)
