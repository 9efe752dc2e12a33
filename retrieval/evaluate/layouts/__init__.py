"""How public data sets lie on disk, a file for each layout."""
