"""Two machines as Ray sees them, until standard input ends; a line there, and one is lost.

python -m tests.ingestion.cluster.machines
"""

import os
import sys

os.environ["RAY_AUTH_MODE"] = "disabled"  # else whoever joins needs its token

from ray.cluster_utils import Cluster

from ingestion.cluster.fleet import STORE_BYTES

if __name__ == "__main__":
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
        },
    )
    other = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    print(cluster.address, flush=True)
    if sys.stdin.readline():
        cluster.remove_node(other, allow_graceful=False)
        sys.stdin.read()
    cluster.shutdown()
