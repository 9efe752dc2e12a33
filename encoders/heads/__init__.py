"""Auxiliary heads: what the InternVL family does besides embedding."""
