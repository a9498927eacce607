"""Values that tests draw: texts, and matches whose spans lie on characters of a text."""

from typing import Any

from hypothesis import strategies as st

from dedup.match import Match, Span

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80)


def match(**changes: Any) -> Match:
    """A match that every built-in profile blocks, but for the changes."""
    values: dict[str, Any] = {
        "document": "books/emma.txt",
        "corpus": "books",
        "licence": "PD",
        "owner": "Jane Austen",
        "url": "https://x/emma",
        "view": "text",
        "kind": "near",
        "query_span": Span(0, 4),
        "document_span": Span(100, 104),
        "tokens": 200,
        "run": 150,
        "identity": 0.9,
        "containment": 0.95,
        "jaccard": 0.9,
        "sources": 1,
        "distinct": 150,
    }
    return Match(**(values | changes))


@st.composite
def texts_with_matches(draw: st.DrawFn) -> tuple[str, list[Match]]:
    """A text and matches in it, overlapping as they come, of every strength of score."""
    text = draw(texts)
    cuts = st.integers(0, len(text)).map(lambda cut: len(text[:cut].encode()))
    matches = draw(
        st.lists(
            st.builds(
                lambda ends, document, tokens, run, owner: match(
                    query_span=Span(*sorted(ends)),
                    document=document,
                    tokens=max(tokens, run),
                    run=run,
                    owner=owner,
                ),
                st.tuples(cuts, cuts).filter(lambda ends: ends[0] != ends[1]),
                st.sampled_from(["a", "b", "{document}", "é"]),
                st.integers(0, 80),
                st.integers(0, 80),
                st.sampled_from(["", "Acme", "Jane"]),
            ),
            max_size=6 if text else 0,
        )
    )
    return text, matches
