"""Stops generative models from reproducing protected text and code."""

__version__ = "0.1.0"
