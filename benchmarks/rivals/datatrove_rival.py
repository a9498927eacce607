"""datatrove: MinHash in four steps over files of signatures, unions by bucket, no verification.

    python benchmarks/rivals/datatrove_rival.py TEXTS.jsonl CLUSTERS.json THRESHOLD PROCESSES

Run by ``benchmarks/repeats.py`` with the Python that has it and spaCy, whose tokenizer it needs
for English. Bands and rows are those of 128 slots that make the fewest mistakes around the
threshold, as datasketch and text-dedup choose them.
"""

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

__all__ = ["bands_of", "build"]

_SLOTS = 128


def bands_of(threshold: float) -> tuple[int, int]:
    """Bands and rows that make the fewest mistakes, if all similarities are as frequent."""
    steps = [(number + 0.5) / 1000 for number in range(1000)]

    def mistakes(bands: int, rows: int) -> float:
        found = [(step, 1 - (1 - step**rows) ** bands) for step in steps]
        return sum(share if step < threshold else 1 - share for step, share in found)

    choices = [
        (bands, rows) for bands in range(1, _SLOTS + 1) for rows in range(1, _SLOTS // bands + 1)
    ]
    return min(choices, key=lambda choice: mistakes(*choice))


def build(texts: Path, threshold: float, processes: int) -> list[list[str]]:
    """The clusters of the documents of a file of JSON lines, by id."""
    bands, rows = bands_of(threshold)
    config = MinhashConfig(n_grams=5, num_buckets=bands, hashes_per_bucket=rows)
    with tempfile.TemporaryDirectory() as folder:
        # A file is read by one task: as many files as processes.
        parts = [Path(folder) / "texts" / f"{part}.jsonl" for part in range(processes)]
        parts[0].parent.mkdir()
        with texts.open() as file:
            files = [part.open("w") for part in parts]
            for number, line in enumerate(file):
                files[number % processes].write(line)
            for part in files:
                part.close()
        reader = JsonlReader(str(parts[0].parent), id_key="id")
        steps = [
            (processes, [reader, MinhashDedupSignature(f"{folder}/signatures", config=config)]),
            (
                bands,
                [MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)],
            ),
            (
                1,
                [
                    MinhashDedupCluster(
                        f"{folder}/buckets",
                        f"{folder}/removed",
                        config=config,
                        save_cluster_id=True,
                        save_cluster_size=True,
                    )
                ],
            ),
            (
                processes,
                [
                    reader,
                    MinhashDedupFilter(
                        f"{folder}/removed",
                        exclusion_writer=JsonlWriter(f"{folder}/dropped", compression=None),
                        load_cluster_ids=True,
                        load_cluster_sizes=True,
                    ),
                    JsonlWriter(f"{folder}/kept", compression=None),
                ],
            ),
        ]
        for number, (tasks, pipeline) in enumerate(steps):
            LocalPipelineExecutor(
                pipeline,
                tasks=tasks,
                workers=processes,
                logging_dir=f"{folder}/logs/{number}",
            ).run()
        clusters = defaultdict(list)
        for path in [*Path(folder).glob("kept/*"), *Path(folder).glob("dropped/*")]:
            for line in path.open(encoding="utf-8"):
                row = json.loads(line)
                # -1 is of documents that are in none.
                if (cluster := row["metadata"].get("minhash_cluster_id", -1)) >= 0:
                    clusters[cluster].append(row["id"])
    return [cluster for cluster in clusters.values() if len(cluster) > 1]


if __name__ == "__main__":
    _, texts, output, threshold, processes = sys.argv
    found = build(Path(texts), float(threshold), int(processes))
    Path(output).write_text(json.dumps(found))
