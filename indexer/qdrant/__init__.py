"""Collections on a Qdrant server or cluster; see docs/qdrant.md."""
