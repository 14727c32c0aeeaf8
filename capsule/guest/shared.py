"""Large arrays by way of a folder in shared memory, whose files are used again.

Fresh memory costs more to write to than a copy does. So a sender writes its next arrays into
the files of the last ones, once the other side says that it uses those no more. The host
copies what it reads, since that belongs to the caller.
"""

import mmap
import os
import re
import weakref
from typing import Any, Dict, List, Optional, Tuple

MIN_SIZE = 1 << 20  # bytes: below that a pipe is as fast
REUSE_LIMIT = 256 << 20  # bytes that a sender has for use again from frame to frame
_NAME = re.compile(r"[0-9]+-[0-9]+\Z")


class SharedError(Exception):
    """A file that the other side names is not in the folder, or not of the size it says."""


class SharedFolder(object):
    """One side's view of the folder.

    Parameters
    ----------
    folder
        The folder, which both sides see.
    copies
        Whether arrays that are read are copies, which the other side never writes to.
    """

    def __init__(self, folder: str, copies: bool) -> None:
        self.folder = folder
        self._copies = copies
        self._count = 0
        self._free: List[Tuple[int, str]] = []
        self._outbox: List[Tuple[int, str]] = []
        self._maps: Dict[str, Any] = {}
        self._views: List[Any] = []

    def put(self, raw: Any) -> Optional[Dict[str, Any]]:
        """Write an array into a file.

        Parameters
        ----------
        raw
            The array, contiguous.

        Returns
        -------
        dict or None
            The place as the other side reads it, None where the folder has no room.
        """
        size = raw.nbytes
        reusable = sum(length for length, _ in self._outbox) + size <= REUSE_LIMIT
        candidates = sorted(file for file in self._free if file[0] >= size) if reusable else []
        if candidates:
            length, name = candidates[0]
            self._free.remove(candidates[0])
        else:
            self._count += 1
            length, name = size, "%d-%d" % (os.getpid(), self._count)
        path = os.path.join(self.folder, name)
        try:
            # Written, not mapped: memory that runs out is then an error and not a signal.
            handle = os.open(
                path, os.O_WRONLY | os.O_CREAT | (0 if candidates else os.O_EXCL), 0o600
            )
            with os.fdopen(handle, "wb", 0) as file:
                view = memoryview(raw.reshape(-1)).cast("B")
                while view:
                    view = view[file.write(view) :]
        except OSError:
            _unlink(path)
            return None
        if reusable:
            self._outbox.append((length, name))
        return {"name": name, "kept": reusable}

    def reclaim(self, in_use: bool) -> None:
        """Free the files of the last frame for the next one.

        Parameters
        ----------
        in_use
            Whether the other side still uses arrays in them: then they are given up.
        """
        large = sorted(self._free, reverse=True) + self._outbox
        self._free = [] if in_use else self._outbox
        self._outbox = []
        room = REUSE_LIMIT - sum(length for length, _ in self._free)
        for length, name in large:
            if (length, name) in self._free:
                continue
            if not in_use and length <= room:
                self._free.append((length, name))
                room -= length
            else:
                _unlink(os.path.join(self.folder, name))

    def read(self, place: Any, size: int, dtype: Any) -> Any:
        """Return an array that the other side wrote.

        Parameters
        ----------
        place
            What its ``put`` returned.
        size
            The size of the array in bytes.
        dtype
            The numpy dtype of the array.

        Returns
        -------
        numpy.ndarray
            The array, flat. It can be written to, unless its file is used again.

        Raises
        ------
        SharedError
            There is no such file, or it is too small.
        """
        import numpy

        name = str(place.get("name")) if isinstance(place, dict) else ""
        if not _NAME.match(name):
            raise SharedError("an array in a place that is not shared")
        path = os.path.join(self.folder, name)
        try:
            if place.get("kept"):
                # Every view of the memory refers to this array, under any numpy.
                whole = numpy.frombuffer(self._map(name, path), "uint8")
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
                # Only pages that the reader writes to are copied.
                private = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
            os.unlink(path)
        except (OSError, ValueError) as error:
            raise SharedError("an array in shared memory is gone: %s" % error)
        return numpy.frombuffer(private, dtype)

    def _map(self, name: str, path: str) -> Any:
        if name not in self._maps:
            with open(path, "rb") as file:
                self._maps[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[name]

    def release(self) -> bool:
        """Forget the arrays that were read.

        Returns
        -------
        bool
            Whether somebody in this process still uses one of them.
        """
        in_use = any(view() is not None for view in self._views)
        if in_use:  # the other side gives these files up
            self._maps = {}
        self._views = []
        for name in list(self._maps):
            if not os.path.exists(os.path.join(self.folder, name)):
                del self._maps[name]
        return in_use


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
