"""Large arrays by way of a folder in shared memory, whose files are used again.

Memory that was never touched costs more to write than to copy, so whoever sends keeps its
files and writes the next arrays into them, once the other side says that nothing of it holds
the last ones any more. What comes back to the host is copied, since it is its receiver's own.
"""

import mmap
import os
import re
import weakref
from typing import Any, Dict, List, Optional, Tuple

FROM = 1 << 20  # bytes: below that a pipe is as fast
KEPT = 256 << 20  # bytes that a sender keeps from one frame to the next
_NAME = re.compile(r"[0-9]+-[0-9]+\Z")


class SharedError(Exception):
    """What the other side names is not in the folder, or not what it says."""


class Shared(object):
    """One side's view of the folder; *copies* says that what it takes is its own for good."""

    def __init__(self, folder: str, copies: bool) -> None:
        self.folder = folder
        self._copies = copies
        self._count = 0
        self._free: List[Tuple[int, str]] = []
        self._sent: List[Tuple[int, str]] = []
        self._maps: Dict[str, Any] = {}
        self._views: List[Any] = []

    def put(self, raw: Any) -> Optional[Dict[str, Any]]:
        """Write an array's bytes; return what the other side is told, None if there is no room."""
        size = raw.nbytes
        kept = sum(one for one, _ in self._sent) + size <= KEPT
        fitting = sorted(one for one in self._free if one[0] >= size) if kept else []
        if fitting:
            length, name = fitting[0]
            self._free.remove(fitting[0])
        else:
            self._count += 1
            length, name = size, "%d-%d" % (os.getpid(), self._count)
        path = os.path.join(self.folder, name)
        try:
            # Written, not mapped: memory that runs out is an error then and no signal.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | (0 if fitting else os.O_EXCL), 0o600)
            with os.fdopen(handle, "wb", 0) as file:
                view = memoryview(raw.reshape(-1)).cast("B")
                while view:
                    view = view[file.write(view) :]
        except OSError:
            _unlink(path)
            return None
        if kept:
            self._sent.append((length, name))
        return {"name": name, "kept": kept}

    def answered(self, held: bool) -> None:
        """Take back what was sent, for the next frame, unless the other side still holds it."""
        large = sorted(self._free, reverse=True) + self._sent
        self._free = [] if held else self._sent
        self._sent = []
        room = KEPT - sum(length for length, _ in self._free)
        for length, name in large:
            if (length, name) in self._free:
                continue
            if not held and length <= room:
                self._free.append((length, name))
                room -= length
            else:
                _unlink(os.path.join(self.folder, name))

    def take(self, told: Any, size: int, dtype: Any) -> Any:
        """Return the array that the other side put there. Raises SharedError if there is none."""
        import numpy

        name = str(told.get("name")) if isinstance(told, dict) else ""
        if not _NAME.match(name):
            raise SharedError("an array in a place that is not shared")
        path = os.path.join(self.folder, name)
        try:
            if told.get("kept"):
                # Whatever hangs on the memory hangs on this array, whichever numpy it is.
                whole = numpy.frombuffer(self._mapped(name, path), "uint8")
                if len(whole) < size:
                    raise SharedError("an array's length is not that of its file")
                array = whole[:size].view(dtype)
                if self._copies:
                    return array.copy()
                self._views.append(weakref.ref(whole))
                return array
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size != size:
                    raise SharedError("an array's length is not that of its file")
                # A copy only of what is written to: the array is the reader's own.
                alone = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
            os.unlink(path)
        except (OSError, ValueError) as error:
            raise SharedError("an array in shared memory is gone: %s" % error)
        return numpy.frombuffer(alone, dtype)

    def _mapped(self, name: str, path: str) -> Any:
        if name not in self._maps:
            with open(path, "rb") as file:
                self._maps[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[name]

    def release(self) -> bool:
        """Let go of what was taken; tell whether somebody here still holds any of it."""
        held = any(view() is not None for view in self._views)
        if held:  # they keep what they have: the other side takes new files
            self._maps = {}
        self._views = []
        for name in list(self._maps):
            if not os.path.exists(os.path.join(self.folder, name)):
                del self._maps[name]
        return held


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
