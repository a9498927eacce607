"""The stages composed: a generated text in, a Verdict out."""

from dedup.errors import DedupError
from dedup.index import Index
from dedup.policy import Policy, Verdict
from dedup.stream import MAX_LEAK_TOKENS, StreamFilter

__all__ = ["Filter"]


class Filter:
    """Checks generated texts against an index under a policy.

    Parameters
    ----------
    index : Index
        What is protected. It stays the caller's to close.
    policy : Policy, optional
        What counts, and what is done about it; ``Policy.balanced()`` if not given.

    Notes
    -----
    Holds no state between checks, so one filter may serve many threads.
    """

    def __init__(self, index: Index, policy: Policy | None = None) -> None:
        self.index = index
        self.policy = Policy.balanced() if policy is None else policy

    def check(self, output: str, prompt: str | None = None) -> Verdict:
        """The verdict on one output; what the prompt itself supplied is not held against it.

        If the index fails to answer, the policy's ``on_error`` decides and ``Verdict.error`` says
        why.

        Raises
        ------
        TypeError
            If the output or the prompt is no string.
        ValueError
            If either holds a lone surrogate, which no UTF-8 can say.
        """
        _check_text("output", output)
        if prompt is not None:
            _check_text("prompt", prompt)
        snapshot = self.index.snapshot  # a commit or a reload may come between the two lines below
        generation = snapshot.generation
        try:
            matches = snapshot.search(output, prompt=prompt)
        except (DedupError, OSError, MemoryError) as error:
            return self.policy.judge_error(output, error, index_generation=generation)
        return self.policy.judge(output, matches, index_generation=generation)

    def stream(
        self, prompt: str | None = None, *, max_leak_tokens: int = MAX_LEAK_TOKENS
    ) -> StreamFilter:
        """A filter of one output that arrives in chunks: ``feed`` each, ``flush`` at the end.

        Of a passage that the policy suppresses at most `max_leak_tokens` go out before it does; 0
        sends nothing before the end.
        """
        if prompt is not None:
            _check_text("prompt", prompt)
        return StreamFilter(
            self.index.snapshot, self.policy, prompt, max_leak_tokens=max_leak_tokens
        )


def _check_text(name: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, got {type(text).__name__}; decode bytes first")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has a lone surrogate {text[error.start]!r} at character {error.start}; "
            'replace it first: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        ) from error
