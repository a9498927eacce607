"""``dedup repeats``: what comes again within a corpus, documents and passages, and what to drop."""
