"""text-dedup 0.4.0: MinHash LSH of 5-grams in memory, unions by bucket, no verification.

    python benchmarks/rivals/text_dedup_rival.py TEXTS.jsonl CLUSTERS.json THRESHOLD PROCESSES

Run by ``benchmarks/repeats.py`` with the Python that has it, whose dependencies clash with ours.
Its own command is what runs here; bands and rows are what it finds best for the threshold.
"""

import json
import pickle
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from text_dedup import minhash

__all__ = ["build"]


def build(texts: Path, threshold: float, processes: int) -> list[list[str]]:
    """The clusters of the documents of a file of JSON lines, by id."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        arguments = {
            "path": "json",
            "data_files": str(texts),
            "cache_dir": f"{folder}/cache",
            "split": "train",
            "column": "text",
            "idx_column": "id",
            "output": str(out),
            "num_proc": processes,
            "num_perm": 128,
            "hash_func": "xxh3",
            "ngram": 5,
            "min_length": 0,
            "threshold": threshold,
        }
        options = [f"--{name}={value}" for name, value in arguments.items()]
        minhash.main.main([*options, "--debug"], standalone_mode=False)
        union = pickle.loads((out / "uf.pkl").read_bytes())
    clusters = defaultdict(list)
    for id in list(union.parent):
        clusters[union.find(id)].append(id)
    return [cluster for cluster in clusters.values() if len(cluster) > 1]


if __name__ == "__main__":
    _, texts, output, threshold, processes = sys.argv
    found = build(Path(texts), float(threshold), int(processes))
    Path(output).write_text(json.dumps(found))
