from pathlib import Path

from api.installation import Installation
from api.settings import Settings
from indexer import LocalStore, Schema
from indexer.qdrant.store import QdrantStore


def test_collections_are_kept_where_the_settings_say(tmp_path: Path) -> None:
    with Installation(Settings(data=tmp_path)) as local:
        assert isinstance(local.store, LocalStore)
    with Installation(Settings(data=tmp_path, qdrant_url=":memory:")) as remote:
        assert isinstance(remote.store, QdrantStore)
        remote.store.create("photos", Schema({"default": 3}))
        assert remote.store.names() == ["photos"]
