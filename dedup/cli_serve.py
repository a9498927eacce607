"""``dedup serve``: parse the options and start the server."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from dedup.cli_options import BackgroundOption, KeyOption, NoKeyOption
from dedup.policy import Policy
from dedup.terminal import print_warning

__all__ = ["serve"]


def serve(
    index: Annotated[Path, typer.Option(metavar="INDEX", help="The index directory.")],
    upstream: Annotated[
        str, typer.Option(metavar="URL", help="The generation server: http://127.0.0.1:8000.")
    ],
    policy: Annotated[
        str, typer.Option(metavar="P", help="strict, balanced, lenient, or a TOML file.")
    ] = "balanced",
    key: KeyOption = None,
    no_key: NoKeyOption = False,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the index.")] = 1,
    max_leak_tokens: Annotated[
        int,
        typer.Option(
            min=0, help="Tokens of a suppressed passage that may get out; 0 sends nothing unjudged."
        ),
    ] = 20,
    background: BackgroundOption = None,
    fail_open: Annotated[
        bool, typer.Option("--fail-open", help="Deliver, marked, what cannot be checked.")
    ] = False,
    retry: Annotated[
        int, typer.Option(min=0, metavar="N", help="Ask again so often before blocking an answer.")
    ] = 0,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Bearer tokens of clients, one a line.")
    ] = None,
    upstream_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The bearer token for the upstream.")
    ] = None,
    admin: Annotated[
        str | None,
        typer.Option(metavar="PATH|PORT", help="Reload and stats on a Unix socket or this port."),
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append what was judged and how.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="How long the upstream may be silent.")
    ] = 600.0,
    max_body: Annotated[int, typer.Option(min=1, metavar="BYTES", help="Longest request.")] = 8
    << 20,
    max_streams: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests at once, of each worker.")
    ] = 256,
    keep_alive: Annotated[
        float,
        typer.Option(min=0.1, metavar="S", help="Silence after which a stream gets a comment."),
    ] = 15.0,
    expose_citations: Annotated[
        bool, typer.Option("--expose-citations", help="Tell clients where matches come from.")
    ] = False,
) -> None:
    """Filter what a generation server answers, between it and its clients."""
    from dedup.serve.admin import admin_server
    from dedup.serve.settings import Settings
    from dedup.serve.tokens import Tokens
    from dedup.serve.upstream import read_key
    from dedup.serve.workers import Supervisor, bind

    if key and no_key:
        raise typer.BadParameter("--key and --no-key exclude each other")
    settings = Settings(
        index=index,
        upstream=upstream,
        policy=policy,
        keys=None if no_key else tuple(key or ()),
        background=tuple(background or ()),
        max_leak_tokens=max_leak_tokens,
        fail_open=fail_open,
        retries=retry,
        expose_citations=expose_citations,
        token_file=token_file,
        upstream_key_file=upstream_key_file,
        audit=audit,
        timeout_s=timeout,
        max_body_bytes=max_body,
        max_streams=max_streams,
        keep_alive_s=keep_alive,
    )
    # What is wrong with these would end every worker; an index may be put right later.
    Policy.load(policy)
    Tokens(token_file)
    read_key(upstream_key_file)
    if fail_open:
        print_warning("--fail-open: what cannot be checked is delivered, marked in the metrics")
    bound = bind(host, port)
    supervisor = Supervisor(settings, bound, workers)
    asyncio.run(supervisor.run(admin_server(supervisor, settings, admin) if admin else None))
