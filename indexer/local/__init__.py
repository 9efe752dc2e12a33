"""Local collections: SQLite and raw vector files in a folder."""
