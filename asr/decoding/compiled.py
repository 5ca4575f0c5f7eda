"""How numba compiles the searches: once, kept on disk, and without Python's lock."""

from numba import njit

compiled = njit(cache=True, nogil=True)
njit_noalloc = njit(cache=True, nogil=True, _nrt=False)  # pyright: ignore[reportCallIssue]
"""For functions that allocate nothing: else numba counts references whenever it takes an array out of a tuple, which
took four fifths of the search's time."""
