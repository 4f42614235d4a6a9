"""io_uring (Linux 6.0 and later) by its own system calls: queues of kernel requests in shared memory, as
arrays.

One `enter` carries any number of sends or receives, so a tick costs a handful of system calls instead of two
per leg. Names and numbers are those of `<linux/io_uring.h>`; see io_uring(7), io_uring_setup(2),
io_uring_enter(2).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

SETUP, ENTER, REGISTER = 425, 426, 427
SETUP_CQSIZE, SETUP_SINGLE_ISSUER, SETUP_DEFER_TASKRUN = 1 << 3, 1 << 12, 1 << 13
SETUP_TASKRUN_FLAG = 1 << 9
ENTER_GETEVENTS = 1
FEATURE_SINGLE_MMAP = 1
OFFSET_RING, OFFSET_ENTRIES = 0, 0x10000000
REGISTER_EVENTFD, REGISTER_BUFFER_RING = 4, 22
QUEUE_OVERFLOW, QUEUE_TASKRUN = 1 << 1, 1 << 2

ENTRY = np.dtype(
    [
        ("opcode", "u1"),
        ("flags", "u1"),
        ("ioprio", "u2"),
        ("fd", "i4"),
        ("addr2", "u8"),
        ("addr", "u8"),
        ("len", "u4"),
        ("op_flags", "u4"),
        ("user_data", "u8"),
        ("group", "u2"),
        ("personality", "u2"),
        ("addr_len", "u2"),
        ("zero", "u2"),
        ("zeros", "u8", (2,)),
    ]
)
"""`struct io_uring_sqe`, without gaps: numpy does not copy those, and the kernel insists on zeros."""

ENTRY_WORDS = 8

DONE = struct.Struct("=QiI")
"""`struct io_uring_cqe`: user data, result, flags."""
DONE_WORDS = 2

ADDRESS = struct.Struct("=QI")
ADDRESS_AT = 16
"""An `ENTRY`'s addr and len, and where they lie in it."""

BUFFER = np.dtype([("addr", "u8"), ("len", "u4"), ("bid", "u2"), ("tail", "u2")])
TAIL_AT = 14
"""`struct io_uring_buf`; in the first entry the last field, which begins here, is the ring's tail."""

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def words_of(requests: npt.NDArray[np.void]) -> Int64:
    """Requests (dtype `ENTRY`) as [request, word], in the same memory."""
    return requests.view(np.int64).reshape(-1, ENTRY_WORDS)


def supported() -> bool:
    """Whether this could be a system with io_uring in the layout used here."""
    return sys.platform == "linux" and sys.byteorder == "little" and ctypes.sizeof(ctypes.c_void_p) == 8


def call(number: int, *arguments: int) -> int:
    """A system call of integers. Raises OSError."""
    result = int(_syscall(ctypes.c_long(number), *(ctypes.c_ulong(argument) for argument in arguments)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Ring:
    """One submission and one completion queue. All use must be from the thread that made it.

    Raises OSError where the kernel has no io_uring, forbids it, or lacks what is asked of it.
    """

    def __init__(self, entries: int, completions: int) -> None:
        flags = SETUP_CQSIZE | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG
        parameters = bytearray(120)
        struct.pack_into("=3I", parameters, 0, 0, completions, flags)
        address = ctypes.addressof((ctypes.c_char * len(parameters)).from_buffer(parameters))
        self.fd = call(SETUP, entries, address)
        self.entries, self._completions = struct.unpack_from("=2I", parameters)
        if not struct.unpack_from("=I", parameters, 20)[0] & FEATURE_SINGLE_MMAP:
            raise OSError("this io_uring is too old")
        submit = struct.unpack_from("=7I", parameters, 40)
        complete = struct.unpack_from("=6I", parameters, 80)
        size = max(submit[6] + 4 * self.entries, complete[5] + DONE.size * self._completions)
        shared, write = mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ | mmap.PROT_WRITE
        rings = mmap.mmap(self.fd, size, shared, write, offset=OFFSET_RING)
        queue = mmap.mmap(self.fd, self.entries * ENTRY.itemsize, shared, write, offset=OFFSET_ENTRIES)

        def word(offset: int) -> memoryview:
            return memoryview(rings)[offset : offset + 4].cast("I")

        self._tail, self._flags = word(submit[1]), word(submit[4])
        self._done_head, self._done_tail = word(complete[0]), word(complete[1])
        self._queue = np.frombuffer(queue, np.int64).reshape(self.entries, ENTRY_WORDS)
        self._queue_octets = memoryview(queue)
        self.unsent = 0
        """Requests in the queue that the kernel knows nothing of."""
        done = np.frombuffer(rings, np.int64, DONE_WORDS * self._completions, complete[5])
        self._done = done.reshape(self._completions, DONE_WORDS)
        self._done_octets = memoryview(rings)[complete[5] :]
        np.frombuffer(rings, np.uint32, self.entries, submit[6])[:] = np.arange(self.entries)
        self._enter = (ctypes.c_long(ENTER), ctypes.c_int(self.fd))
        self._wake = -1
        self._none = (ctypes.c_void_p(None), ctypes.c_size_t(0))

    def queue(self, words: Int64) -> None:
        """Prepare requests (see `words_of`), at most `entries` at once. They go to the kernel, in order, with
        the next `flush`, or when it is next asked what is done. Raises OSError.
        """
        count = len(words)
        if self.unsent + count > self.entries:
            self.flush()
        tail = self._tail[0]
        at = tail & (self.entries - 1)
        first = min(count, self.entries - at)
        self._queue[at : at + first] = words[:first]
        if first < count:
            self._queue[: count - first] = words[first:]
        self._tail[0] = (tail + count) & 0xFFFFFFFF
        self.unsent += count

    def put(self, template: memoryview, address: int, length: int) -> None:
        """Prepare one request: the template's, with another address and length. Raises OSError."""
        if self.unsent == self.entries:
            self.flush()
        tail = self._tail[0]
        at = (tail & (self.entries - 1)) * ENTRY.itemsize
        self._queue_octets[at : at + ENTRY.itemsize] = template
        ADDRESS.pack_into(self._queue_octets, at + ADDRESS_AT, address, length)
        self._tail[0] = (tail + 1) & 0xFFFFFFFF
        self.unsent += 1

    def flush(self) -> None:
        """Hand what was prepared to the kernel. Raises OSError."""
        while self.unsent:
            self.unsent -= self._call(self.unsent, 0)

    @property
    def ready(self) -> bool:
        """Whether there are completions, or something that may make some."""
        waiting = self.unsent or self._flags[0] & (QUEUE_TASKRUN | QUEUE_OVERFLOW)
        return bool(waiting) or self._done_head[0] != self._done_tail[0]

    def peek(self, most: int) -> list[tuple[int, int, int]] | None:
        """What `completions` would give, if that is `most` at most, else None: (user data, result, flags)."""
        self.work()
        head = self._done_head[0]
        count = (self._done_tail[0] - head) & 0xFFFFFFFF
        if count > most:
            return None
        done, mask = self._done_octets, self._completions - 1
        return [DONE.unpack_from(done, ((head + n) & mask) * DONE.size) for n in range(count)]

    def skip(self, count: int) -> None:
        """So many completions were taken care of."""
        self._done_head[0] = (self._done_head[0] + count) & 0xFFFFFFFF

    def completions(self) -> Int64:
        """What the kernel has done since the last time, a copy: [completion, word], whose words are the user
        data, and the result below the flags (`struct io_uring_cqe`).
        """
        self.work()
        head, tail = self._done_head[0], self._done_tail[0]
        at, count = head & (self._completions - 1), (tail - head) & 0xFFFFFFFF
        first = self._completions - at
        if count <= first:
            done = self._done[at : at + count].copy()
        else:
            done = np.concatenate((self._done[at:], self._done[: count - first]))
        self._done_head[0] = tail
        return done

    def work(self) -> None:
        """Hand over what was prepared, and let the kernel do what waits to be done in our name.

        It does some twenty things at each call. Its flag may be left standing when all is done (a packet that
        comes meanwhile on another processor is counted and done before its flag is up): then nothing moves.
        """
        while self.unsent or self._flags[0] & (QUEUE_TASKRUN | QUEUE_OVERFLOW):
            done, unsent = self._done_tail[0], self.unsent
            self.unsent -= self._call(unsent, ENTER_GETEVENTS)
            if self.unsent == unsent and self._done_tail[0] == done:
                return

    def register_buffers(self, ring: int, entries: int, group: int) -> None:
        """Give the kernel a ring of receive buffers at the address `ring`."""
        argument = struct.pack("=QIHHQQQ", ring, entries, group, 0, 0, 0, 0)
        place = ctypes.create_string_buffer(argument, len(argument))
        call(REGISTER, self.fd, REGISTER_BUFFER_RING, ctypes.addressof(place), 1)

    def wake(self) -> int:
        """An eventfd that becomes readable when something is done. (The ring's own descriptor does not: what
        is done in our name waits for us to come.)
        """
        if self._wake < 0:
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            place = ctypes.c_int(self._wake)
            call(REGISTER, self.fd, REGISTER_EVENTFD, ctypes.addressof(place), 1)
        return self._wake

    def close(self) -> None:
        """End all requests."""
        os.close(self.fd)
        if self._wake >= 0:
            os.close(self._wake)

    def _call(self, submit: int, flags: int) -> int:
        done = int(
            _syscall(*self._enter, ctypes.c_uint(submit), ctypes.c_uint(0), ctypes.c_uint(flags), *self._none)
        )
        if done < 0:
            error = ctypes.get_errno()
            if error in (4, 11, 16):  # EINTR, EAGAIN, EBUSY: to be done again
                return 0
            raise OSError(error, os.strerror(error))
        return done
