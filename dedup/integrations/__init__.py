"""Adapters to other programs, one a file; each imports what it adapts to and nothing else does."""
