"""What the filter catches, by how a copy was changed, and what it wrongly stops.

    python -m benchmarks.quality --out DIR [--small | --full]

In the order in which they build on each other: ``interval`` and ``attack`` say what a rate and an
attack are; ``words``, ``letters``, ``layout`` and ``encodings`` change prose, ``functions``,
``python_attacks``, ``statements`` and ``tools`` code; ``matrix`` lists all of them by the row of
the evasion matrix, with the recall that is wanted; ``downloads``, ``corpora`` and ``benign`` give
what is protected and what must pass; ``trials`` asks, ``leaks`` streams, ``alarms`` counts what was
wrongly stopped, ``cases`` holds copies made by others, ``rivals`` asks other tools the same;
``report`` writes it down.
"""
