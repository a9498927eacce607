"""What a client is told of a verdict: Azure's ``content_filter_results``, and ``dedup`` beside it.

Azure's clients find what they know, ``protected_material_text`` and ``protected_material_code``;
``dedup.matches`` says which rules fired. Documents, addresses and licences are told only if the
operator says so: they may be the names of private things.
"""

from collections.abc import Iterable
from typing import Any, Final

from dedup.policy import Action, Ruling, Verdict

__all__ = ["Annotator", "strongest"]

_STRENGTH: Final[dict[Action, int]] = {"allow": 0, "flag": 1, "redact": 2, "block": 3}
_MAX_MATCHES: Final = 16


class Annotator:
    """Annotates choices; ``expose_citations`` says whether with sources."""

    def __init__(self, *, expose_citations: bool) -> None:
        self._expose = expose_citations

    def annotate(self, choice: dict[str, Any], verdict: Verdict) -> None:
        """Tell in a choice (or a response) what was found in it; nothing if nothing was."""
        if not verdict.rulings:
            return
        known = choice.get("content_filter_results")
        results = dict(known) if isinstance(known, dict) else {}
        choice["content_filter_results"] = results | self._azure(verdict.rulings)
        choice["dedup"] = self.extension(verdict)

    def extension(self, verdict: Verdict) -> dict[str, Any]:
        """Our own part: the action, the rule and the matches."""
        ranked = sorted(verdict.rulings, key=lambda ruling: -_STRENGTH[ruling.action])
        return {
            "action": verdict.action,
            "rule": verdict.rule,
            "matches": [self._match(ruling) for ruling in ranked[:_MAX_MATCHES]],
        }

    def _match(self, ruling: Ruling) -> dict[str, Any]:
        match = ruling.match
        said = {
            "action": ruling.action,
            "rule": ruling.rule,
            "kind": match.kind,
            "view": match.view,
        }
        if self._expose:
            said |= {"document": match.document, "uri": match.url, "licence": match.licence}
        return said

    def _azure(self, rulings: Iterable[Ruling]) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for ruling in rulings:
            is_code = ruling.match.view != "text" or bool(ruling.match.language)
            name = "protected_material_code" if is_code else "protected_material_text"
            result = results.setdefault(name, {"filtered": False, "detected": True})
            if ruling.action in ("redact", "block"):
                result["filtered"] = True
            # Azure's schema cites code only.
            if is_code and self._expose and "citation" not in result and ruling.match.url:
                result["citation"] = {"URL": ruling.match.url, "license": ruling.match.licence}
        return results


def strongest(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict of several texts together: the strongest action, all rulings."""
    listed = list(verdicts)
    if not listed:
        return None
    first = max(listed, key=lambda verdict: (_STRENGTH[verdict.action], bool(verdict.rule)))
    return Verdict(
        action=first.action,
        rule=first.rule,
        text=first.text,
        index_generation=first.index_generation,
        rulings=tuple(ruling for verdict in listed for ruling in verdict.rulings),
        exempted=tuple(ruling for verdict in listed for ruling in verdict.exempted),
        error=next((verdict.error for verdict in listed if verdict.error), ""),
    )
