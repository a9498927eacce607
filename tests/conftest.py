"""Hypothesis without deadlines: what takes long is for benchmarks/ to tell, on a quiet machine."""

from hypothesis import settings

settings.register_profile("dedup", parent=settings.default, deadline=None)
settings.load_profile("dedup")
