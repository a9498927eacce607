"""``dedup index``: what an index holds and what is done to it, but for adding; see ``cli``."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dedup.cli_options import (
    CorpusOption,
    DocumentOption,
    FormatOption,
    IndexArgument,
    KeyOption,
    LicenceOption,
    NoKeyOption,
    OwnerOption,
    index_app,
    keys_of,
    made_or_loaded,
)
from dedup.contents import IndexedDocument
from dedup.diff import diff
from dedup.exchange import open_exported
from dedup.index import Index
from dedup.key import Key, KeyRing, default_key, default_key_path
from dedup.manifest import MANIFEST
from dedup.report import printable
from dedup.terminal import as_json, counted, output_to, print_warning, write

__all__ = [
    "index_app",
    "index_diff",
    "index_export",
    "index_import",
    "index_info",
    "index_list",
    "index_merge",
    "index_remove",
    "index_rotate",
    "index_verify",
]

_DIFFERENT: Final = 1
_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}


# ---- what is there -------------------------------------------------------------------------------


@index_app.command("info")
def index_info(index: IndexArgument, key: KeyOption = None, no_key: NoKeyOption = False) -> int:
    """Print what an index holds."""
    with Index.open(index, key=keys_of(key, no_key)) as opened:
        info = opened.info()
    rows = [
        ("path", printable(info.path)),
        ("format", f"{info.format_version}"),
        ("generation", f"{info.generation}"),
        ("key", info.key_id or "none"),
    ]
    if len(info.keys) > 1:
        rows += [
            (f"  under {key or 'none'}", counted(documents, "document"))
            for key, documents in info.keys.items()
        ]
    rows += [
        (f"scheme of {view}", ", ".join(f"{name} {value}" for name, value in scheme.items()))
        for view, scheme in info.schemes.items()
    ]
    rows += [
        ("segments", f"{info.segments}"),
        ("documents", f"{info.documents:,}"),
        ("tokens", f"{info.tokens:,}"),
        ("bytes", f"{info.bytes:,} ({info.bytes_per_token:.2f} a token)"),
    ]
    if info.expired:
        rows.append(("expired", f"{counted(info.expired, 'document')}, gone with the next merge"))
    if info.next_expiry:
        rows.append(("next expiry", f"{info.next_expiry}"))
    for name, corpus in sorted(info.corpora.items()):
        counts = f"{counted(corpus.documents, 'document')}, {counted(corpus.tokens, 'token')}"
        rows.append((f"corpus {printable(name)}" if name else "no corpus", counts))
    width = max(len(label) for label, _ in rows)
    write("".join(f"{label:<{width}}  {value}\n" for label, value in rows))
    return 0


@index_app.command("list")
def index_list(
    index: IndexArgument,
    document: DocumentOption = None,
    corpus: CorpusOption = None,
    owner: OwnerOption = None,
    licence: LicenceOption = None,
    format: FormatOption = "text",
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """List the documents of an index.

    As text: id, corpus, licence, owner, tokens, the day it expires; with tabs between.
    """
    with Index.open(index, key=keys_of(key, no_key)) as opened, output_to(None) as stream:
        for found in opened.documents(
            document=document, corpus=corpus, owner=owner, licence=licence
        ):
            stream.write(_line(found) if format == "text" else as_json(_fields(found), None))
    return 0


def _line(found: IndexedDocument) -> str:
    cells = (found.id, found.corpus, found.licence, found.owner)
    expires = "" if found.expires is None else str(found.expires)
    return "\t".join([*map(printable, cells), str(found.tokens), expires]) + "\n"


def _fields(found: IndexedDocument) -> dict[str, Any]:
    return {
        "document": found.id,
        "corpus": found.corpus,
        "licence": found.licence,
        "owner": found.owner,
        "url": found.url,
        "language": found.language,
        "tokens": found.tokens,
        "text_bytes": found.text_bytes,
        "expires": None if found.expires is None else str(found.expires),
        "key_id": f"{found.key_id:016x}" if found.key_id else "",
    }


@index_app.command("verify")
def index_verify(index: IndexArgument, key: KeyOption = None, no_key: NoKeyOption = False) -> int:
    """Read every byte of an index and compare it with its checksum."""
    with Index.open(index, key=keys_of(key, no_key)) as opened:
        report = opened.verify()
    write(
        f"{printable(str(index))} is whole: {counted(report.documents, 'document')} in "
        f"{counted(report.segments, 'segment')}, {counted(report.bytes, 'byte')} read\n"
    )
    return 0


@index_app.command("diff")
def index_diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="An index directory.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another.")],
    format: FormatOption = "text",
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Print what NEW protects and OLD does not (+), the other way round (-), or otherwise (~).

    The exit status is 0 if they protect the same, 1 if not, 2 if they could not be compared.
    """
    keys = keys_of(key, no_key)
    with Index.open(old, key=keys) as before, Index.open(new, key=keys) as after:
        found = diff(before.snapshot, after.snapshot)
    changes: list[tuple[str, str, tuple[str, ...]]] = [
        *(("added", id, ()) for id in found.added),
        *(("removed", id, ()) for id in found.removed),
        *(("changed", change.id, change.fields) for change in found.changed),
    ]
    with output_to(None) as stream:
        for what, id, fields in changes:
            if format == "jsonl":
                row = {"change": what, "document": id, "fields": list(fields)}
                stream.write(as_json(row, None))
            else:
                which = f": {', '.join(fields)}" if fields else ""
                stream.write(f"{_SIGNS[what]} {printable(id)}{which}\n")
    if found.uncompared:
        print_warning(
            f"{counted(len(found.uncompared), 'text')} could be compared by size only, as the "
            "keys differ"
        )
    return _DIFFERENT if found else 0


# ---- what is done to it --------------------------------------------------------------------------


@index_app.command("merge")
def index_merge(index: IndexArgument, key: KeyOption = None, no_key: NoKeyOption = False) -> int:
    """Make one segment of all, without what was replaced, removed or has expired."""
    with Index.open(index, key=keys_of(key, no_key), writable=True) as opened:
        before = opened.info()
        opened.merge()
        after = opened.info()
    write(
        f"{printable(str(index))} has {counted(after.segments, 'segment')} of "
        f"{counted(after.bytes, 'byte')} (before: {before.segments} of {before.bytes:,}), "
        f"generation {after.generation}\n"
    )
    return 0


@index_app.command("remove")
def index_remove(
    index: IndexArgument,
    document: DocumentOption = None,
    corpus: CorpusOption = None,
    owner: OwnerOption = None,
    licence: LicenceOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Remove documents from an index and list them; what remains of them goes with the next merge.

    That no document fits is no failure: the exit status is 0, as after a second time.
    """
    if not any((document, corpus, owner, licence)):
        raise typer.BadParameter(
            "nothing says what to remove; give --document, --corpus, --owner or --licence"
        )
    with Index.open(index, key=keys_of(key, no_key), writable=not dry_run) as opened:
        chosen = opened.documents(document=document, corpus=corpus, owner=owner, licence=licence)
        ids = [found.id for found in chosen]
        if ids and not dry_run:
            opened.remove(document=ids)
            opened.commit()
        generation = opened.generation
    with output_to(None) as stream:
        stream.writelines(f"- {printable(id)}\n" for id in ids)
        done = "would be removed from" if dry_run else "removed from"
        what = counted(len(ids), "document") if ids else "no document fits; none"
        stream.write(f"{what} {done} {printable(str(index))}, generation {generation}\n")
    return 0


@index_app.command("rotate")
def index_rotate(
    index: IndexArgument,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The new key; made if it is missing.")
    ],
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Put documents that are added from now on under another key.

    What is there stays under the old key until its sources are added again; until then every
    command needs both keys (--key OLD --key NEW).
    """
    keys = keys_of(key, no_key)
    with Index.open(index, key=keys, writable=True) as opened:
        opened.rotate(made_or_loaded(to))
        info = opened.info()
    old = sum(documents for id, documents in info.keys.items() if id != info.key_id)
    stay = f"; {counted(old, 'document')} under the old key until added again" if old else ""
    write(f"{printable(str(index))} is under key {info.key_id}{stay}\n")
    return 0


@index_app.command("export")
def index_export(
    index: IndexArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")],
    document: DocumentOption = None,
    corpus: CorpusOption = None,
    owner: OwnerOption = None,
    licence: LicenceOption = None,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Write the fingerprints of documents to one file, without their text, to hand over.

    Who imports it needs the key that it is under; whoever has both can ask whether a text is in it.
    """
    with Index.open(index, key=keys_of(key, no_key)) as opened:
        number = opened.export(file, document=document, corpus=corpus, owner=owner, licence=licence)
    write(f"{printable(str(file))} has the fingerprints of {counted(number, 'document')}\n")
    return 0


@index_app.command("import")
def index_import(
    index: IndexArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What index export wrote.")],
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="The key of the file, and that of the index, if not your default key; may be "
            "repeated.",
        ),
    ] = None,
    no_key: NoKeyOption = False,
) -> int:
    """Add the fingerprints of an exported file to an index, which is made if it is missing.

    A new index is under your default key. Documents replace those of the same id.
    """
    keys = [] if keys_of(key, no_key) is None else [Key.load(path) for path in key or ()]
    own = [] if no_key or not default_key_path().exists() else [default_key()]
    if (index / MANIFEST).exists():
        opened = Index.open(index, key=[*own, *keys], writable=True)
    else:
        # Opened before anything is made: of a bad file there is nothing to protect.
        scheme = open_exported(file, KeyRing([*own, *keys])).schemes[0]
        own = [] if no_key else [default_key(create=True)]
        opened = Index.create(index, key=[*own, *keys] or None, scheme=scheme)
    with opened:
        before = opened.info().documents
        taken = opened.import_(file)
        opened.commit()
        info = opened.info()
    replaced = taken - (info.documents - before)
    changes = f"{counted(taken, 'document')} taken in" if taken else "all is here already"
    changes += f" ({replaced} replaced)" if replaced else ""
    number = len(info.keys.keys() - {""})
    needs = f"; every command needs its {number} keys (--key for each)" if number > 1 else ""
    write(
        f"{changes}; {printable(info.path)} holds {counted(info.documents, 'document')}, "
        f"generation {info.generation}{needs}\n"
    )
    return 0
