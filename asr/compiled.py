"""Decorators that compile functions with numba: cached on disk where that is possible, and releasing the GIL.

numba keeps compiled code in the `__pycache__` beside the source, else in the user's cache folder, never in a shared
temporary one. Where it can write to neither, or the disk is full, each process compiles for itself, which takes some
seconds longer.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from numba import njit


class _Cache:
    """numba's cache of a function, without the errors of the file system."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *arguments: Any) -> Any:
        """Compiled code, or None if there is none or it is damaged, which can raise anything."""
        try:
            return self._cache.load_overload(*arguments)
        except Exception:
            with contextlib.suppress(OSError):
                self._cache.flush()
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep compiled code if possible."""
        try:
            self._cache.save_overload(*arguments)
        except OSError:  # a full disk, a folder that has become read-only
            return


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles with these options of numba."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            dispatcher: Any = njit(cache=True, nogil=True, **options)(function)
        except (RuntimeError, OSError):  # numba finds no folder for its cache
            return njit(nogil=True, **options)(function)
        dispatcher._cache = _Cache(dispatcher._cache)
        return dispatcher

    return decorate


compiled: Any = _compiler()
njit_noalloc: Any = _compiler(_nrt=False)
"""For functions that allocate nothing: disables reference counting. Otherwise numba counts references whenever it takes
an array out of a tuple, which took four fifths of the search's time."""
vectorised: Any = _compiler(_nrt=False, fastmath={"contract"}, error_model="numpy")
"""For loops over arrays: products and sums may be fused, but NaN stays NaN, and divisions are not checked; allocates
nothing."""
