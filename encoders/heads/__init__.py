"""Auxiliary heads: what the InternVL family does beside embedding."""
