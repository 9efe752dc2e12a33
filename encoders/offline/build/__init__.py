"""Derives the offline encoder's data file; run `python -m encoders.offline.build`."""
