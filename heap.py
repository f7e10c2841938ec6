"""How the process holds memory where its C library is glibc; others do well by themselves."""

import contextlib
import ctypes
import gc
from collections.abc import Iterator

ARENAS, MAPPED, TRIMMED = -8, -3, -1
"""Among the parameters of glibc's mallopt: the number of heaps (M_ARENA_MAX), from how many bytes on a block has pages
of its own, which go back to the system with it (M_MMAP_THRESHOLD), and from how many free ones on the heap's end does
(M_TRIM_THRESHOLD)."""

OWN_PAGES = 8 << 20
"""By itself glibc takes blocks from the heap that are as large as the largest it ever freed, and a password's check
takes 19 MB: whatever comes to lie behind it keeps them. As many free bytes stay at the heap's end: beside a given
threshold glibc would keep 128 kB, and every large request would ask the system for its pages anew."""


def share_one_heap() -> None:
    """For a process of many threads: a heap of each keeps what a batch once needed in that thread."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(ARENAS, 1)
        library.mallopt(MAPPED, OWN_PAGES)
        library.mallopt(TRIMMED, OWN_PAGES)


@contextlib.contextmanager
def no_collections() -> Iterator[None]:
    """Without the garbage collector: among some hundred thousand tuples, none of which is in a circle, its searches
    take longer than all else."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def give_back_memory() -> None:
    """Have glibc give back to the system what was let go of and is no longer needed."""
    if trim := getattr(ctypes.pythonapi, "malloc_trim", None):
        trim(0)
