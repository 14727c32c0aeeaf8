"""What the rebuilding of environments raises."""

from __future__ import annotations

from typing import Literal

from capsule.errors import CapsuleError

RebuildCode = Literal[
    "rebuild-failed",
    "python-missing",
    "distribution-gone",
    "no-wheel",
    "needs-build",
    "build-failed",
    "address-gone",
    "hash-mismatch",
    "network",
    "cache",
]


class RebuildError(CapsuleError):
    """An environment can't be had.

    ``code`` says why, ``distribution`` for which distribution, if it is one's fault:

    - ``python-missing``: no Python of the version that the model needs was found.
    - ``distribution-gone``: the index has no such version of a distribution.
    - ``no-wheel``: a distribution has no wheel for this Python and platform.
    - ``needs-build``: some have none, and nobody allowed them to be built from source.
    - ``build-failed``: a distribution has no wheel, and building it from source failed.
    - ``address-gone``: a repository or an archive is no longer where it was.
    - ``hash-mismatch``: a file has another hash than the lock says.
    - ``network``: the package index can't be reached.
    - ``cache``: the cache of environments can't be written.
    - ``rebuild-failed``: anything else; the message says what.
    """

    code: RebuildCode = "rebuild-failed"

    def __init__(
        self, message: str, *, code: RebuildCode | None = None, distribution: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.distribution = distribution


class NeedsBuildError(RebuildError):
    """Some ``distributions`` have no wheel here, and nobody allowed them to be built."""

    def __init__(self, message: str, distributions: tuple[str, ...]) -> None:
        super().__init__(message, code="needs-build")
        self.distributions = distributions


class WorkerError(CapsuleError):
    """The worker process died or answered with an error; its last words are in the text."""

    code = "worker-failed"
    status = 1
