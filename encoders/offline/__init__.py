"""The embedded encoder: two small models from PyPI and one data file that joins them."""
