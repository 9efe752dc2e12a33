"""FAISS, at one seam: training, building, reading and searching the index of one segment.

Ids in an index are the rows of the table `point`. An index that was read is never written to:
FAISS aborts the process when a mapped one is.
"""

import math
import os
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexer.errors import Unsupported
from indexer.local.options import IndexKind
from indexer.local.view import Ints

_GPU_NAMES = ("faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12", "faiss-gpu-cu13")
_LISTS = {"ivf-rabitq": 2, "ivf-sq8": 8}
"""Times the root of the rows. Queries like texts look at half as many rows, with four times the
lists; but codes of bits come in blocks of 32, which short lists would leave half empty."""
_TRAINING_ROWS = 128
"""Times the root of the rows."""
_ROUNDS = 6
_LINKS, _EF_CONSTRUCTION = 16, 100
MOST_EF = 1024

Floats = NDArray[np.float32]
Index: TypeAlias = Any
"""A FAISS index; the library has no types."""


@cache
def check_installed() -> bool:
    """Whether FAISS is there; raises `Unsupported` when it is there twice."""
    found = [name for name in ("faiss-cpu", *_GPU_NAMES) if _installed(name)]
    if len(found) > 1:
        raise Unsupported(
            f"{' and '.join(found)} are both installed, and overwrite each other's files: run "
            f"`pip uninstall {' '.join(found)}`, then install polylens[cpu] or polylens[gpu]"
        )
    return find_spec("faiss") is not None


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def training_rows(rows: int) -> int:
    """How many vectors the training of an index of so many rows wants."""
    return max(round(_TRAINING_ROWS * math.sqrt(rows)), 20_000)


def lists_of(kind: str, rows: int) -> int:
    """How many lists an index of so many rows has; a graph has one."""
    if kind not in _LISTS:
        return 1
    return max(1, min(round(_LISTS[kind] * math.sqrt(rows)), rows // 8))


def factory(kind: IndexKind, rows: int, dim: int) -> str:
    """FAISS's description of the index."""
    bits = "2" if has_two_bits(rows, dim, memory()) else ""
    codes = {"rabitq": f"RaBitQfs{bits}", "sq8": "SQ8"}
    if kind == "hnsw-sq8":
        return f"HNSW{_LINKS}_SQ8"
    return f"IVF{lists_of(kind, rows)},{codes[kind.removeprefix('ivf-')]}"


def has_two_bits(rows: int, dim: int, memory: int) -> bool:
    """Whether RaBitQ codes are of 2 bits, not 1: in a quarter of the memory, in bytes."""
    return rows * (dim / 4 + 30) < memory / 4


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> int:
    """Of the machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def trained(description: str, sample: Floats, *, threads: int = 0) -> Index:
    """An index that is empty, for unit vectors like `sample` `[m, dim]`."""
    faiss = _faiss()
    faiss.omp_set_num_threads(threads or _cores())
    index = faiss.index_factory(sample.shape[1], description, faiss.METRIC_INNER_PRODUCT)
    if isinstance(index, faiss.IndexIVF):
        index.quantizer.add(_centroids(faiss, sample, index.nlist))
    else:
        index.hnsw.efConstruction = _EF_CONSTRUCTION
        index = faiss.IndexIDMap(index)
    index.train(sample)
    return index


def fill(index: Index, parts: Iterable[tuple[Ints, Floats]], *, threads: int = 0) -> None:
    """Give a trained index ids and unit vectors."""
    _faiss().omp_set_num_threads(threads or _cores())
    for ids, vectors in parts:
        index.add_with_ids(vectors, ids)


def _centroids(faiss: ModuleType, sample: Floats, lists: int) -> Floats:
    """Those of k-means, float32 `[lists, dim]`; of one list the mean, whatever its norm."""
    if lists == 1:
        mean: Floats = sample.mean(axis=0, keepdims=True)
        return mean
    dim = sample.shape[1]
    flat = faiss.IndexFlatIP(dim)
    if faiss.get_num_gpus():
        flat = faiss.index_cpu_to_all_gpus(flat)
    means = faiss.Clustering(dim, lists)
    means.spherical, means.niter = True, _ROUNDS
    means.min_points_per_centroid = 1
    means.train(sample, flat)
    found: Floats = faiss.vector_to_array(means.centroids).reshape(lists, dim)
    return found


def write(index: Index, path: Path) -> None:
    _faiss().write_index(index, str(path))


def read(path: Path) -> Index:
    """The index in a file, mapped where FAISS can; raises `RuntimeError` or `MemoryError`."""
    faiss = _faiss()
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def ids_of(index: Index) -> Ints:
    """The ids in an index, int64 `[n]`, sorted."""
    faiss = _faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexIVF):
        lists = index.invlists
        sizes = [lists.list_size(number) for number in range(index.nlist)]
        parts = [
            faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
            for number, size in enumerate(sizes)
            if size
        ]
        ids = np.concatenate(parts) if parts else np.empty(0, np.int64)
    else:
        ids = faiss.vector_to_array(index.id_map)
    return np.sort(ids.astype(np.int64, copy=False))


def is_graph(index: Index) -> bool:
    return not hasattr(index, "nlist")


def most_probes(index: Index) -> int:
    """How much of an index can be looked at: its lists, or the highest `ef` of a graph."""
    return MOST_EF if is_graph(index) else int(index.nlist)


def centroids(index: Index) -> Floats:
    """Of the lists, float32 `[lists, dim]`; a graph has none.

    A copy: NumPy puts it in huge pages (Linux), where products take a third of what they take over
    a mapped file.
    """
    if is_graph(index):
        return np.empty((0, index.d), np.float32)
    faiss = _faiss()
    held = faiss.downcast_index(index.quantizer).get_xb()
    flat: Floats = faiss.rev_swig_ptr(held, index.nlist * index.d)
    return flat.reshape(index.nlist, index.d).copy()


def products(centroids: Floats, queries: Floats) -> Floats:
    """Of each query `[n, dim]` with each centroid, float32 `[n, lists]`."""
    # Not BLAS, whose threads take longer to wake than this takes.
    found: Floats = np.vecdot(queries[:, None], centroids)
    return found


def search(
    index: Index,
    queries: Floats,
    near: Floats,
    depth: int,
    probes: Ints,
    bitmap: NDArray[np.uint8] | None = None,
    *,
    threads: int = 1,
) -> Ints:
    """The ids of the best `depth` by the index's own scores, int64 `[n, depth]`, -1 at ends.

    `queries` are float32 `[n, dim]`, `near` their products with the centroids; of each, int64
    `[n]`, so many of the nearest lists are looked at, in a graph as many steps as any has. With a
    `bitmap` only ids whose bit is set (the lowest of a byte first) are found.
    """
    faiss = _faiss()
    # For this thread alone; a single query gains nothing by more than one.
    faiss.omp_set_num_threads(threads or _cores())
    more = {} if bitmap is None else {"sel": faiss.IDSelectorBitmap(bitmap)}
    most = int(probes.max())
    if is_graph(index):
        parameters = faiss.SearchParametersHNSW(efSearch=max(most, depth), **more)
        ids: Ints = index.search(queries, depth, params=parameters)[1]
        return ids
    lists = _nearest(near, most)
    near = np.take_along_axis(near, lists, 1)
    lists[np.arange(most) >= probes[:, None]] = -1
    ids, scores = np.empty((len(queries), depth), np.int64), np.empty((len(queries), depth), "f4")
    # By its name in C++: that in Python takes no parameters.
    index.search_preassigned_c(
        *(len(queries), faiss.swig_ptr(queries), depth, faiss.swig_ptr(lists)),
        *(faiss.swig_ptr(near), faiss.swig_ptr(scores), faiss.swig_ptr(ids), False),
        faiss.SearchParametersIVF(nprobe=most, **more),
    )
    return ids


def _nearest(near: Floats, count: int) -> Ints:
    """The lists of the highest products `[n, lists]`, int64 `[n, count]`, best first."""
    if count == near.shape[1]:
        return np.argsort(-near, axis=1)
    some = np.argpartition(-near, count, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(near, some, 1), axis=1)
    return np.take_along_axis(some, order, 1)


def _faiss() -> ModuleType:
    import faiss  # slow to load, and optional

    module: ModuleType = faiss
    return module
