"""Any shared run of S + k - 1 tokens is found: the promise, tried on random texts.

``python tests/guarantee.py 1000000`` runs a million trials and prints how many were missed.
"""

import random
import sys
import tempfile
from pathlib import Path

from dedup.index import Index
from dedup.source import Document

TOKENS_PER_DOCUMENT = 400
DOCUMENTS = 50


def missed(trials: int, seed: int, threads: int = 2) -> int:
    """Plant a verbatim run of the guaranteed length in unrelated words; count those not found.

    A run counts as found if a match names its document and covers it whole, in query and document.
    Words come from a small vocabulary, so that chance repeats get in the way as they do in texts.
    """
    rng = random.Random(seed)
    vocabulary = [f"w{i}" for i in range(2000)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.create(Path(folder) / "index", key=None) as index,
    ):
        texts = [rng.choices(vocabulary, k=TOKENS_PER_DOCUMENT) for _ in range(DOCUMENTS)]
        index.add(Document(str(i), " ".join(text)) for i, text in enumerate(texts))
        index.commit()
        length = index.scheme.guaranteed_tokens
        lost = 0
        for start in range(0, trials, 10_000):
            cases = []
            for _ in range(min(10_000, trials - start)):
                number = rng.randrange(DOCUMENTS)
                at = rng.randrange(TOKENS_PER_DOCUMENT - length + 1)
                before = " ".join(rng.choices(vocabulary, k=rng.randrange(30)))
                run = " ".join(texts[number][at : at + length])
                after = " ".join(rng.choices(vocabulary, k=rng.randrange(30)))
                head = before + " " if before else ""
                cases.append((number, len(head), run, at, f"{head}{run} {after}"))
            answers = index.search_batch([case[-1] for case in cases], threads)
            for (number, begin, run, at, _), matches in zip(cases, answers, strict=True):
                from_byte = sum(len(word) + 1 for word in texts[number][:at])
                lost += not any(
                    match.document == str(number)
                    and match.query_span.start <= begin
                    and match.query_span.end >= begin + len(run)
                    and match.document_span.start <= from_byte
                    and match.document_span.end >= from_byte + len(run)
                    for match in matches
                )
        return lost


if __name__ == "__main__":
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    lost = missed(trials, seed=1)
    print(f"{lost} of {trials} runs of the guaranteed length were missed")
    sys.exit(lost > 0)
