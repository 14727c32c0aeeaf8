"""Progress of long steps: a spinner on a terminal, plain lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from capsule.errors import escaped


@contextmanager
def progress_to(stream: TextIO) -> Iterator[Callable[[str], None]]:
    """Give a function that tells *stream* which step has begun."""
    if not stream.isatty():
        yield lambda message: print(escaped(f"capsule: {message}"), file=stream, flush=True)
        return
    # Imported where it shows: a log needs none of it.
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream)
    with console.status("looking", spinner="dots") as status:
        yield lambda message: status.update(Text(escaped(message)))
