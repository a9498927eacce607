"""How much of what is copied is found, by how it was edited; and what is wrongly stopped.

    python benchmarks/recall.py BOOKS... --carrier SPEECHES

A trial takes a random passage of a random protected document, edits it, and plants it in 120 words
of unrelated text. Found: some match names the right document and meets the passage. Blocked: the
policy blocks for such a match. Windows of the carrier alone give the false blocks. Same seed, same
trials; words put in come from the carrier.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

from quality.attack import Dice
from quality.interval import wilson
from quality.words import (
    WordEdit,
    delete,
    every,
    every_nth_is_it,
    insert,
    insert_every,
    shuffle,
    substitute,
)

from dedup import Document, Index, Policy
from dedup.source import read_sources

ROWS: list[tuple[str, WordEdit, tuple[float, ...]]] = [
    ("words replaced, rate", substitute, (0, 0.1, 0.2, 0.3, 0.4)),
    ("words put in, rate", insert, (0.1, 0.2, 0.3)),
    ("words left out, rate", delete, (0.1, 0.2, 0.3)),
    ("every n-th word replaced, n", every, (5, 4, 3, 2)),
    ("a word after every n-th, n", insert_every, (5, 3, 2, 1)),
    ("the passage is every n-th word, n", every_nth_is_it, (3,)),
    ("chunks shuffled, up to words", shuffle, (12, 6)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("protected", nargs="+", type=Path)
    parser.add_argument("--carrier", nargs="+", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--lengths", type=int, nargs="+", default=[20, 40, 60, 100, 200, 500])
    parser.add_argument("--policy", default="balanced")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    documents = [d for d in read_sources(options.protected) if isinstance(d, Document)]
    carriers = [d.text.split() for d in read_sources(options.carrier) if isinstance(d, Document)]
    carriers = [words for words in carriers if len(words) >= 200]
    vocabulary = [word for words in carriers for word in words]
    words_of = {document.id: document.text.split() for document in documents}
    policy = Policy.load(options.policy)
    results = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.create(Path(folder) / "index", key=None) as index,
    ):
        index.add(documents)
        index.commit()
        info = index.info()
        print(
            f"{info.documents} documents, {info.tokens:,} tokens, policy {policy.name}, "
            f"{options.trials} trials a cell: % found / % blocked\n"
        )
        print("| edit | | " + " | ".join(f"{length} words" for length in options.lengths) + " |")
        print("|---|---|" + "---|" * len(options.lengths))
        for name, edit, strengths in ROWS:
            for strength in strengths:
                cells = []
                for length in options.lengths:
                    found, blocked = cell(
                        index,
                        policy,
                        words_of,
                        carriers,
                        vocabulary,
                        edit,
                        strength,
                        length,
                        options.trials,
                    )
                    results.append(
                        {
                            "edit": name,
                            "strength": strength,
                            "words": length,
                            "found": found,
                            "blocked": blocked,
                            "trials": options.trials,
                        }
                    )
                    cells.append(
                        f"{100 * found / options.trials:.1f} / {100 * blocked / options.trials:.1f}"
                    )
                print(f"| {name} | {strength:g} | " + " | ".join(cells) + " |", flush=True)
        rng = random.Random(1)
        windows = [
            " ".join(words[at : at + rng.randint(200, 500)])
            for words in carriers
            for at in range(0, len(words) - 200, 50)
        ]
        actions = [
            policy.judge(text, matches).action
            for text, matches in zip(windows, index.search_batch(windows, 2), strict=True)
        ]
        for action in ("block", "flag"):
            hits = actions.count(action)
            low, high = wilson(hits, len(windows))
            print(
                f"\nunrelated windows of 200-500 words: {hits} of {len(windows)} {action} "
                f"(95 % interval {100 * low:.3f}-{100 * high:.3f} %)"
            )
            results.append({"edit": f"false {action}", "found": hits, "trials": len(windows)})
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def cell(
    index: Index,
    policy: Policy,
    words_of: dict[str, list[str]],
    carriers: list[list[str]],
    vocabulary: list[str],
    edit: WordEdit,
    strength: float,
    length: int,
    trials: int,
) -> tuple[int, int]:
    """Passages found and blocked, of `trials`."""
    dice = Dice(f"{edit.__name__} {strength} {length}", vocabulary)
    names = sorted(name for name, words in words_of.items() if len(words) > length)
    if not names:
        sys.exit(f"no protected document has over {length} words; pass shorter --lengths")
    queries, truths = [], []
    for _ in range(trials):
        name = dice.choice(names)
        at = dice.randrange(len(words_of[name]) - length)
        copied = " ".join(edit(words_of[name][at : at + length], strength, dice))
        carrier = dice.choice(carriers)
        cut = dice.randrange(len(carrier) - 120)
        before = " ".join(carrier[cut : cut + 60]) + " "
        queries.append(before + copied + " " + " ".join(carrier[cut + 60 : cut + 120]))
        begin = len(before.encode())
        truths.append((name, begin, begin + len(copied.encode())))
    found = blocked = 0
    for query, (name, begin, end), matches in zip(
        queries, truths, index.search_batch(queries, 2), strict=True
    ):
        right = [
            match
            for match in matches
            if match.document == name
            and match.query_span.start < end
            and match.query_span.end > begin
        ]
        found += bool(right)
        blocked += policy.judge(query, right).action == "block"
    return found, blocked


if __name__ == "__main__":
    main()
