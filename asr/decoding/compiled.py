"""Decorators that compile the searches with numba: cached on disk, and releasing the GIL."""

from numba import njit

compiled = njit(cache=True, nogil=True)
njit_noalloc = njit(cache=True, nogil=True, _nrt=False)  # pyright: ignore[reportCallIssue]
"""For functions that allocate nothing: disables reference counting. Otherwise numba counts references whenever it takes
an array out of a tuple, which took four fifths of the search's time."""
