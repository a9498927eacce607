"""``dedup`` and ``python -m dedup``: the version at once, everything else from ``cli``."""

import sys

from dedup import __version__

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:  # typer takes longer to load than all of dedup
        print(f"dedup {__version__}")
        return
    from dedup import cli

    cli.main()


if __name__ == "__main__":
    main()
