"""How many encoders a cluster holds."""

import pytest

from ingestion import IngestError
from ingestion.cluster.seats import Seats


def test_a_list_is_an_actor_for_each_device() -> None:
    assert Seats.of("cpu, cpu", {"CPU": 2.0}, 1) == Seats(2, "cpu", 1.0, 0, 2)
    gpus = {"CPU": 64.0, "GPU": 4.0}
    # An actor sees only the GPUs it was given, and counts them from 0.
    assert Seats.of("cuda:0,cuda:1,cuda:2", gpus, 2) == Seats(3, "cuda:0", 1.0, 1, 2)
    assert Seats.of("cuda:0+cuda:1,cuda:2+cuda:3", gpus, 1) == Seats(2, "cuda:0+cuda:1", 1.0, 2, 2)


def test_without_a_list_every_gpu_has_one_or_else_every_machine() -> None:
    assert Seats.of(None, {"CPU": 64.0, "GPU": 16.0}, 2) == Seats(16, "cuda:0", 1.0, 1, 8)
    assert Seats.of(None, {"CPU": 12.0}, 3) == Seats(3, None, 1.0, 0, 1)


def test_more_actors_than_cpus_share_them() -> None:
    seats = Seats.of("cpu,cpu,cpu", {"CPU": 2.0}, 1)
    assert seats.cpus == 0.66
    assert seats.cpus * seats.count <= 2.0


def test_what_a_cluster_has_not_is_refused() -> None:
    with pytest.raises(IngestError, match=r"are 2 GPUs, and the cluster has 1"):
        Seats.of("cuda:0,cuda:1", {"CPU": 8.0, "GPU": 1.0}, 1)
    with pytest.raises(IngestError, match="of different kinds"):
        Seats.of("cuda:0,cpu", {"CPU": 8.0, "GPU": 1.0}, 1)
