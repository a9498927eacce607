"""``dedup scan``: a corpus checked against an index, a row for each document."""
