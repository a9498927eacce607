"""``dedup serve``: an OpenAI-compatible proxy that filters what a generation server answers."""
