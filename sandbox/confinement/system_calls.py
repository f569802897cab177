"""What a program may ask of the kernel: the calls, by number and by argument.

Whatever is not named here is refused. The calls were found by tracing every case of the
conformance suite, every model of the registry, and torchvision, timm, NumPy and PIL at work
(`README.md`). `seccomp.py` makes a BPF program of these tables, `seccomp_profile.py` the profile of
a container engine; what takes names instead of numbers gets them from `NAMES`.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

# x86_64, aarch64; None where a processor has no such call or its C library no need of it
Numbers = tuple[int | None, int | None]
ALL_BITS = 0xFFFFFFFF

ALLOWED: dict[str, Numbers] = {
    # memory
    "brk": (12, 214),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "msync": (26, 227),
    # processes, threads and their signals
    "vfork": (58, None),
    "execve": (59, 221),
    "wait4": (61, 260),
    "set_tid_address": (218, 96),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122),
    "getrusage": (98, 165),
    "uname": (63, 160),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    # time and chance
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "getrandom": (318, 278),
    # files, on x86_64 in the older forms where its C library uses those
    "open": (2, None),
    "openat": (257, 56),
    "close": (3, 57),
    "close_range": (436, 436),
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "stat": (4, None),
    "lstat": (6, None),
    "access": (21, None),
    "faccessat": (None, 48),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "getdents64": (217, 61),
    "mkdir": (83, None),
    "mkdirat": (None, 34),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rmdir": (84, None),
    "rename": (82, None),
    "renameat": (None, 38),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (None, 53),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "sendfile": (40, 71),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "poll": (7, None),
    "ppoll": (None, 73),
    "pselect6": (270, 72),
    # what a program may only lose by (`landlock.py`)
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}


@dataclass(frozen=True, kw_only=True)
class Argument:
    """A call that is decided by one argument: what happens for its values, and for all others.

    Only the low 32 bits are looked at, as the kernel does for these calls; comparing all 64
    would let a value with garbage in the upper half through. An error number of 0 is a call that
    says it was done and was not.

    Raises:
        ValueError: a decision that no profile can express.
    """

    index: int
    mask: int = ALL_BITS
    allowed: tuple[int, ...] = ()
    refused: tuple[tuple[int, int], ...] = ()  # (value, error number)
    others_allowed: bool = False

    def __post_init__(self) -> None:
        """Refuse "all but these" of some bits: engines can't say it."""
        if self.others_allowed and (self.allowed or self.mask != ALL_BITS):
            raise ValueError("all other values can be allowed only where the whole is looked at")


def _only(index: int, *values: int, mask: int = ALL_BITS) -> Argument:
    return Argument(index=index, mask=mask, allowed=values)


def _but(index: int, *values: int) -> Argument:
    refused = tuple((value, errno.EPERM) for value in values)
    return Argument(index=index, refused=refused, others_allowed=True)


AF_UNIX = 1
# CHILD_SETTID CHILD_CLEARTID PARENT_SETTID SETTLS SYSVSEM THREAD SIGHAND FILES FS VM, VFORK, and a
# signal: what threads and forks are made of. Not among them: each namespace, PTRACE, PARENT, PIDFD.
CLONE_FLAGS = 0x1000000 | 0x200000 | 0x100000 | 0x80000 | 0x40000 | 0x10000 | 0xF00 | 0x4000 | 0x7F
TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX = (
    *(0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451),
)
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 15, 16, 38, 39
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030
MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTNEED, MADV_FREE = 0, 1, 2, 4, 8
MADV_DONTFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP = 10, 14, 15, 16
ARCH_SET_FS, ARCH_GET_FS, ARCH_CET_STATUS = 0x1002, 0x1003, 0x3001
ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM = 0x1021, 0x1022, 0x1023
PIPE_FLAGS = 0x80000 | 0x800  # O_CLOEXEC O_NONBLOCK; not O_NOTIFICATION_PIPE
RLIMIT_CPU, RLIMIT_RTTIME = 0, 15
SIGNALLED = 0x80  # the bit of an exit status that shells and engines keep for "ended by a signal"
FUTEX_PRIVATE, FUTEX_CLOCK_REALTIME = 0x80, 0x100
WAIT, WAKE, REQUEUE, WAIT_BITSET, WAKE_BITSET = 0, 1, 4, 9, 10

# A futex on shared memory crosses every wall between two programs that map the same file. Whoever
# waits on one is told to look again, and whoever wakes one that it was done: what locks by it works
# on, spinning. libstdc++ guards its first use of a constant so, once, while torch is imported.
FUTEX = Argument(
    index=1,
    mask=ALL_BITS & ~FUTEX_CLOCK_REALTIME,
    allowed=tuple(FUTEX_PRIVATE | each for each in (WAIT, WAKE, REQUEUE, WAIT_BITSET, WAKE_BITSET)),
    refused=(
        *((each, errno.EAGAIN) for each in (WAIT, WAIT_BITSET)),
        *((each, 0) for each in (WAKE, WAKE_BITSET)),
    ),
)
CHECKED: dict[str, tuple[Numbers, Argument]] = {
    "futex": ((202, 98), FUTEX),
    # what advises about pages that others see too (WILLNEED, PAGEOUT, POPULATE) is not there
    "madvise": (
        (28, 233),
        _only(
            *(2, MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTNEED, MADV_FREE),
            *(MADV_DONTFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP),
        ),
    ),
    # no locks, leases, notifications, owners of signals, sizes of pipes, seals
    "fcntl": (
        (72, 25),
        _only(1, F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC),
    ),
    "ioctl": ((16, 29), _only(1, TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX)),
    "clone": ((56, 220), _only(0, 0, mask=ALL_BITS & ~CLONE_FLAGS)),
    # bwrap's own wish to die with its parent is a parent-death signal; it must stay set
    "prctl": (
        (157, 167),
        _only(0, PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS),
    ),
    "arch_prctl": (
        (158, None),
        _only(
            *(0, ARCH_SET_FS, ARCH_GET_FS, ARCH_CET_STATUS),
            *(ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM),
        ),
    ),
    # the kernel ends by SIGKILL, process 1 too, whoever is over a limit of its own making
    "prlimit64": ((302, 261), _but(1, RLIMIT_CPU, RLIMIT_RTTIME)),
    # what looks like an end by a signal is one
    "exit": ((60, 93), _only(0, 0, mask=SIGNALLED)),
    "exit_group": ((231, 94), _only(0, 0, mask=SIGNALLED)),
}
# The pipes of a container come over a socket (`docker_channel.py`). After that it can't make one:
# sockets and pipes have numbers that the whole kernel counts.
CHANNEL: dict[str, Numbers] = {
    "connect": (42, 203),
    "recvmsg": (47, 212),
    "sendmsg": (46, 211),
}
CHANNEL_CHECKED = {"socket": ((41, 198), _only(0, AF_UNIX))}
# More, for a program that was lent a GPU. Untried: no card was there while this was written.
# Drivers are spoken to by ioctl, with numbers of their own; those of terminals stay refused.
CUDA: dict[str, Numbers] = {
    **CHANNEL,
    "accept4": (288, 242),
    "bind": (49, 200),
    "listen": (50, 201),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "setsockopt": (54, 208),
    "socketpair": (53, 199),
    "get_mempolicy": (239, 236),
    "set_mempolicy": (238, 237),
    "mbind": (237, 235),
    "memfd_create": (319, 279),
    "fallocate": (285, 47),
    "mlock": (149, 228),
    "mlock2": (325, 284),
    "munlock": (150, 229),
    "sysinfo": (99, 179),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_setscheduler": (144, 119),
    "getpriority": (140, 141),
    "membarrier": (324, 283),
    "eventfd2": (290, 19),
    "pipe": (22, None),
    "statx": (332, 291),
    "getcpu": (309, 168),
    "umask": (95, 166),
}
CUDA_CHECKED = {
    **CHANNEL_CHECKED,
    "ioctl": ((16, 29), _but(1, TIOCSTI, TIOCLINUX)),
    "pipe2": ((293, 59), _only(1, 0, mask=ALL_BITS & ~PIPE_FLAGS)),
}
# Absent rather than refused: libraries fall back to an older call at ENOSYS.
ABSENT: dict[str, Numbers] = {
    "clone3": (435, 435),  # its flags lie in memory, where no filter can look
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "preadv2": (327, 286),
    "pwritev2": (328, 287),
    "statx": (332, 291),
    "faccessat2": (439, 439),
    "openat2": (437, 437),
    "renameat2": (316, 276),
    "copy_file_range": (326, 285),
    "epoll_create1": (291, 20),
    "epoll_pwait2": (441, 441),
    "memfd_create": (319, 279),
    "membarrier": (324, 283),
}
NEWEST = 462  # mseal, Linux 6.10: what is newer does not exist

# The names up to there, of x86_64 and of the generic table of aarch64 (linux/unistd.h).
_TABLE = """
_sysctl accept accept4 access acct add_key adjtimex afs_syscall alarm arch_prctl bind bpf brk
cachestat capget capset chdir chmod chown chroot clock_adjtime clock_getres clock_gettime
clock_nanosleep clock_settime clone clone3 close close_range connect copy_file_range creat
create_module delete_module dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
exit_group faccessat faccessat2 fadvise64 fallocate fanotify_init fanotify_mark fchdir fchmod
fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr finit_module flistxattr flock fork
fremovexattr fsconfig fsetxattr fsmount fsopen fspick fstat fstatfs fsync ftruncate futex
futex_requeue futex_wait futex_waitv futex_wake futimesat get_kernel_syms get_mempolicy
get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups
getitimer getpeername getpgid getpgrp getpid getpmsg getppid getpriority getrandom getresgid
getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
init_module inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
io_getevents io_pgetevents io_setup io_submit io_uring_enter io_uring_register io_uring_setup
ioctl ioperm iopl ioprio_get ioprio_set kcmp kexec_file_load kexec_load keyctl kill
landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat
listen listmount listxattr llistxattr lookup_dcookie lremovexattr lseek lsetxattr
lsm_get_self_attr lsm_list_modules lsm_set_self_attr lstat madvise map_shadow_stack mbind
membarrier memfd_create memfd_secret migrate_pages mincore mkdir mkdirat mknod mknodat mlock
mlock2 mlockall mmap modify_ldt mount mount_setattr move_mount move_pages mprotect mq_getsetattr
mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd
msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat nfsservctl open
open_by_handle_at open_tree openat openat2 pause perf_event_open personality pidfd_getfd
pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc pkey_free pkey_mprotect poll ppoll
prctl pread64 preadv preadv2 prlimit64 process_madvise process_mrelease process_vm_readv
process_vm_writev pselect6 ptrace putpmsg pwrite64 pwritev pwritev2 query_module quotactl
quotactl_fd read readahead readlink readlinkat readv reboot recvfrom recvmmsg recvmsg
remap_file_pages removexattr rename renameat renameat2 request_key restart_syscall rmdir rseq
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
sched_setattr sched_setparam sched_setscheduler sched_yield seccomp security select semctl semget
semop semtimedop sendfile sendmmsg sendmsg sendto set_mempolicy set_mempolicy_home_node
set_robust_list set_thread_area set_tid_address setdomainname setfsgid setfsuid setgid setgroups
sethostname setitimer setns setpgid setpriority setregid setresgid setresuid setreuid setrlimit
setsid setsockopt settimeofday setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack
signalfd signalfd4 socket socketpair splice stat statfs statmount statx swapoff swapon symlink
symlinkat sync sync_file_range syncfs sysfs sysinfo syslog tee tgkill time timer_create
timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
timerfd_settime times tkill truncate tuxcall umask umount2 uname unlink unlinkat unshare uselib
userfaultfd ustat utime utimensat utimes vfork vhangup vmsplice vserver wait4 waitid write writev
"""
NAMES = tuple(_TABLE.split())
