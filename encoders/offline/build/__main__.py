"""`python -m encoders.offline.build`: writes encoders/offline/data/offline.safetensors anew."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.offline.build.concepts import read_concepts
from encoders.offline.build.derive import derive
from encoders.offline.build.nodes import read_nodes
from encoders.offline.build.wordnet import WordNet
from encoders.offline.data import PATH, pack, save_data
from encoders.offline.network import open_network
from encoders.offline.text import open_model, prepare

WORDNET = Path("/usr/share/wordnet")


def main() -> None:
    """Needs the extra `offline-build` and WordNet 3.0 (Debian: `apt-get install wordnet-base`)."""
    parser = argparse.ArgumentParser(prog="python -m encoders.offline.build", description=__doc__)
    parser.add_argument("--wordnet", type=Path, default=WORDNET, help="its folder")
    parser.add_argument("--output", type=Path, default=PATH, help="the data file")
    options = parser.parse_args()
    network = WordNet(options.wordnet)
    classifier = open_network().classifier._fc.weight.detach().double().numpy()
    data = derive(
        read_nodes(network), read_concepts(network), network.common_things(), classifier, Embedder()
    )
    checksum = save_data(pack(data), options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB, SHA-256 {checksum}")


class Embedder:
    """Sentence embeddings, each text embedded once."""

    def __init__(self) -> None:
        self._model = open_model()
        self._known: dict[str, NDArray[np.float64]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Embeddings float64 `[len(texts), 384]`."""
        texts = [prepare(text) for text in texts]
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._model.query(new).astype(np.float64), strict=True))
        return np.stack([self._known[text] for text in texts])


if __name__ == "__main__":
    main()
