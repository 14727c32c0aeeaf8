"""What capsule raises: what happened, to which thing, and what to do."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Return *text* as one line, with control characters and line ends as escape sequences."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


class CapsuleError(Exception):
    """Above all of capsule's errors.

    ``code`` is stable and goes into JSON; ``status`` is the command's exit status.
    """

    code = "error"
    status = 2

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        """What happened, to which thing, and what to do."""
        return str(self.args[0])


class ArtifactError(CapsuleError):
    """A model file is missing, damaged, or of no format that capsule reads."""

    code = "artifact-unreadable"


class ArtifactChangedError(ArtifactError):
    """The file is not the one that its sidecar describes."""

    code = "artifact-changed"
    status = 1


class ManifestError(CapsuleError):
    """A sidecar is missing, not valid, or too new; ``path`` leads to the bad value."""

    code = "manifest-invalid"

    def __init__(self, message: str, *, path: str = "", code: str | None = None) -> None:
        super().__init__(f"{message} (at {path})" if path else message, code=code)
        self.path = path


class EnvironmentUnknownError(CapsuleError):
    """An environment can't be read: no such interpreter, or none was named."""

    code = "environment-unknown"


class RestoreFailedError(CapsuleError):
    """The guest could not rebuild a function or Keras could not load the model."""

    code = "load-failed"
    status = 1


class OutputsDifferError(CapsuleError):
    """The model loads and does not compute what it did at save; ``comparison`` says how far."""

    code = "outputs-differ"
    status = 1

    def __init__(self, message: str, comparison: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.comparison = comparison


class InputError(CapsuleError):
    """Something that the caller named can't be used: an input file, an option."""

    code = "input"
