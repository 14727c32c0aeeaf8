"""How every command ends: a status as documented, an error as one sentence."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import typer

from capsule.errors import CapsuleError, escaped


def ending(command: Callable[..., None]) -> Callable[..., None]:
    """Let *command* end as documented: an error is one sentence and a status, Ctrl-C is 130."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except CapsuleError as error:
            complain(error)
            raise typer.Exit(error.status) from None
        except KeyboardInterrupt:
            print("capsule: stopped; nothing half-done will be used", file=sys.stderr)
            raise typer.Exit(130) from None

    return guarded


def complain(error: CapsuleError) -> None:
    """Print an error as its sentence."""
    print(escaped(f"capsule: {error.message}"), file=sys.stderr)
