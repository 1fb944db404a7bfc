"""The system calls that a filter refuses: their numbers, when, and why.

Data. What is not listed is left to Landlock, to the rights of the user, or does no harm.
"""

from __future__ import annotations

import errno
from enum import Enum, auto

from agent_exec.named_tuple import NamedTuple

HIGHEST = 469
"""file_setattr, of Linux 6.17: what later kernels add is not there for a program."""


class Call(NamedTuple):
    """A name and its number on each machine; None where the machine does not have it."""

    name: str
    x86_64: int | None
    aarch64: int | None

    def number(self, machine: str) -> int | None:
        """On `machine`, as ``uname -m`` calls it."""
        return {"x86_64": self.x86_64, "aarch64": self.aarch64}[machine]


class When(Enum):
    """Which children are refused it."""

    ALWAYS = auto()
    NO_WRITE = auto()
    """Without the right to write."""
    NO_WRITE_OLD = auto()
    """The same, and where Landlock does not yet know truncation (before its ABI 3)."""
    NO_NETWORK = auto()
    ONLY_READS = auto()
    """Without the right to write, and without the network."""


class Unless(Enum):
    """What an argument must be for the call to be let through all the same."""

    NEVER = auto()
    SECRET_AT_2 = auto()
    """The two words of the filter's secret are its third and fourth argument."""
    SECRET_AT_3 = auto()
    """Its fourth and fifth."""
    SECRET_AT_4 = auto()
    """Its fifth and sixth."""
    NO_NEW_NAMESPACE = auto()
    """clone(2): no flag for one. The kernel looks at the low 32 bits; the lowest 8 are a signal."""
    ONLY_UNSHARES = auto()
    """unshare(2): nothing but what threads share. A flag that nobody knew yet is refused."""
    OWN_PROCESS = auto()
    """The pid is 0."""
    OWN_PRIORITY = auto()
    """setpriority(2): PRIO_PROCESS of 0."""
    OWN_IO_PRIORITY = auto()
    """ioprio_set(2): IOPRIO_WHO_PROCESS of 0."""
    OWN_OR_READING = auto()
    """prlimit(2): the pid is 0, or no limit is set."""
    HARMLESS_REQUEST = auto()
    """ioctl(2): not one of `REQUESTS`; without the right to write, of `FILE_SYSTEMS` only one of
    `READING`. The kernel looks at the low 32 bits only."""
    NO_LEASE = auto()
    """fcntl(2): neither F_SETLEASE nor F_SETDELEG."""
    NO_TRUNCATION_AT_1 = auto()
    """O_TRUNC is not among the flags, the second argument."""
    NO_TRUNCATION_AT_2 = auto()
    OWN_INTERNET = auto()
    """Of a child whose network is one of its own: socket(2) of AF_INET or AF_INET6."""
    OWN_NETWORK = auto()
    """Of a child whose network is one of its own: always."""
    UNNAMED_PAIR = auto()
    """socketpair(2): of AF_UNIX, and a stream or SOCK_SEQPACKET. An end of SOCK_DGRAM
    can send to any socket that has a name."""


class Refusal(NamedTuple):
    """Some calls that are refused for the same reason."""

    calls: tuple[Call, ...]
    reason: str
    when: When = When.ALWAYS
    unless: Unless = Unless.NEVER
    errno: int = errno.EPERM


class Request(NamedTuple):
    """A request of ioctl(2)."""

    name: str
    number: int
    reason: str


REQUESTS = (
    Request("TIOCSTI", 0x5412, "types into the terminal that others read from"),
    Request("TIOCLINUX", 0x541C, "pastes into the console"),
    Request("TIOCCONS", 0x541D, "takes the console's output"),
    Request("TIOCSETD", 0x5423, "loads a line discipline into the kernel"),
    Request("FIFREEZE", 0xC0045877, "stops all writing to a file system"),
    Request("FITHAW", 0xC0045878, "lets it go on"),
    Request("FS_IOC_SHUTDOWN", 0x8004587D, "ends a file system"),
    Request("RNDADDTOENTCNT", 0x40045201, "says what randomness is worth"),
    Request("RNDADDENTROPY", 0x40085203, "the same"),
    Request("RNDZAPENTCNT", 0x5204, "forgets what it is worth"),
    Request("RNDCLEARPOOL", 0x5206, "the same"),
    Request("RNDRESEEDCRNG", 0x5207, "makes new randomness"),
)
"""Refused to everybody; what is not for terminals needs privilege, which root has."""

FILE_SYSTEMS = {
    "VFS and XFS": 0x58,
    "VFS and ext4": 0x66,
    "NILFS2": 0x6E,
    "FAT": 0x72,
    "versions": 0x76,
    "VFS and Btrfs": 0x94,
    "Ceph": 0x97,
    "bcachefs": 0xBC,
    "CIFS": 0xCF,
    "F2FS": 0xF5,
}
"""Types of requests (their second byte) to file systems. By a descriptor that may only be read,
some change attributes and labels, or make whole subvolumes, and Landlock is not asked."""

READING = (
    Request("FS_IOC_GETFLAGS", 0x80086601, "reads a file's attributes"),
    Request("FS_IOC32_GETFLAGS", 0x80046601, "the same"),
    Request("FS_IOC_FSGETXATTR", 0x801C581F, "the same"),
    Request("FAT_IOCTL_GET_ATTRIBUTES", 0x80047210, "the same"),
    Request("FS_IOC_GETVERSION", 0x80087601, "reads a file's generation"),
    Request("FS_IOC_FIEMAP", 0xC020660B, "says where a file has holes"),
    Request("FS_IOC_GETFSLABEL", 0x81009431, "reads the label"),
    Request("FICLONE", 0x40049409, "copies to a descriptor that may be written"),
    Request("FICLONERANGE", 0x4020940D, "the same"),
)
"""Of these, what is let through all the same."""

REFUSALS = (
    # Other processes, which Landlock keeps a domain from only partly.
    Refusal((Call("ptrace", 101, 117),), "reads, writes and steers other processes"),
    Refusal((Call("process_vm_readv", 310, 270),), "reads the memory of other processes"),
    Refusal((Call("process_vm_writev", 311, 271),), "writes the memory of other processes"),
    Refusal(
        (Call("pidfd_getfd", 438, 438),),
        "takes descriptors of other processes; a spawner imports those of its own with it",
        unless=Unless.SECRET_AT_3,
    ),
    Refusal((Call("process_madvise", 440, 440),), "pushes memory of other processes out"),
    Refusal((Call("process_mrelease", 448, 448),), "takes the memory of other processes"),
    Refusal((Call("kcmp", 312, 272),), "compares what other processes have open"),
    Refusal(
        (Call("move_pages", 279, 239), Call("migrate_pages", 256, 238)),
        "moves memory of other processes",
        unless=Unless.OWN_PROCESS,
    ),
    Refusal(
        (Call("prlimit64", 302, 261),),
        "sets limits of other processes of the user, and so ends them",
        unless=Unless.OWN_OR_READING,
    ),
    # Parts of the kernel that no tool needs, where its faults have been.
    Refusal((Call("bpf", 321, 280),), "loads programs into the kernel"),
    Refusal((Call("perf_event_open", 298, 241),), "watches the machine and other processes"),
    Refusal((Call("userfaultfd", 323, 282),), "holds the kernel up in the middle of a call"),
    Refusal(
        (
            Call("io_uring_setup", 425, 425),
            Call("io_uring_enter", 426, 426),
            Call("io_uring_register", 427, 427),
        ),
        "makes system calls that no filter sees",
    ),
    Refusal(
        (Call("add_key", 248, 217), Call("request_key", 249, 218), Call("keyctl", 250, 219)),
        "reads and changes keys of the user, which no path leads to",
    ),
    Refusal((Call("modify_ldt", 154, None),), "changes how the processor sees memory"),
    # Another view of the file system, where paths no longer mean what Landlock was told.
    Refusal((Call("mount", 165, 40), Call("umount2", 166, 39)), "changes what is mounted"),
    Refusal(
        (
            Call("move_mount", 429, 429),
            Call("open_tree", 428, 428),
            Call("open_tree_attr", 467, 467),
            Call("fsopen", 430, 430),
            Call("fsconfig", 431, 431),
            Call("fsmount", 432, 432),
            Call("fspick", 433, 433),
            Call("mount_setattr", 442, 442),
        ),
        "changes what is mounted, the newer way",
    ),
    Refusal((Call("pivot_root", 155, 41), Call("chroot", 161, 51)), "makes another root"),
    Refusal((Call("open_by_handle_at", 304, 265),), "opens files without a path"),
    Refusal(
        (Call("fanotify_init", 300, 262), Call("fanotify_mark", 301, 263)),
        "learns of, and holds up, what others do with files",
    ),
    # Namespaces: privileges inside, and with them all of the above.
    Refusal((Call("setns", 308, 268),), "enters namespaces of other processes"),
    Refusal((Call("unshare", 272, 97),), "makes namespaces", unless=Unless.ONLY_UNSHARES),
    Refusal((Call("clone", 56, 220),), "makes namespaces", unless=Unless.NO_NEW_NAMESPACE),
    Refusal(
        (Call("clone3", 435, 435),),
        "its flags are in memory, where a filter cannot look; libc goes on with clone",
        unless=Unless.SECRET_AT_2,
        errno=errno.ENOSYS,
    ),
    # Programs that are started past every filter of execve.
    Refusal(
        (Call("spawn_template_create", 472, 472), Call("spawn_template_spawn", 473, 473)),
        "starts programs past filters of execve",
        errno=errno.ENOSYS,
    ),
    # Terminals, and attributes of files by descriptor.
    Refusal(
        (Call("ioctl", 16, 29),),
        "some requests are refused: see REQUESTS and FILE_SYSTEMS",
        unless=Unless.HARMLESS_REQUEST,
    ),
    Refusal((Call("vhangup", 153, 58),), "hangs up the terminal"),
    # The machine. All need privilege; root has it.
    Refusal(
        (Call("kexec_load", 246, 104), Call("kexec_file_load", 320, 294)), "boots another kernel"
    ),
    Refusal(
        (
            Call("init_module", 175, 105),
            Call("finit_module", 313, 273),
            Call("delete_module", 176, 106),
        ),
        "changes the kernel",
    ),
    Refusal((Call("swapon", 167, 224), Call("swapoff", 168, 225)), "changes where memory goes"),
    Refusal((Call("reboot", 169, 142),), "stops the machine"),
    Refusal((Call("acct", 163, 89),), "writes down every process"),
    Refusal((Call("quotactl", 179, 60), Call("quotactl_fd", 443, 443)), "changes quotas"),
    Refusal((Call("syslog", 103, 116),), "reads and clears the kernel's log"),
    Refusal(
        (
            Call("settimeofday", 164, 170),
            Call("clock_settime", 227, 112),
            Call("clock_adjtime", 305, 266),
            Call("adjtimex", 159, 171),
        ),
        "changes the clock",
    ),
    Refusal(
        (Call("sethostname", 170, 161), Call("setdomainname", 171, 162)), "renames the machine"
    ),
    Refusal((Call("iopl", 172, None), Call("ioperm", 173, None)), "speaks to devices directly"),
    Refusal((Call("lookup_dcookie", 212, 18),), "learns paths from a profiler's number"),
    Refusal(
        (
            Call("uselib", 134, None),
            Call("sysfs", 139, None),
            Call("_sysctl", 156, None),
            Call("create_module", 174, None),
            Call("get_kernel_syms", 177, None),
            Call("query_module", 178, None),
            Call("nfsservctl", 180, 42),
        ),
        "long gone, or as good as",
    ),
    # What Landlock lets pass without a right to write.
    Refusal(
        (
            Call("chmod", 90, None),
            Call("fchmod", 91, 52),
            Call("fchmodat", 268, 53),
            Call("fchmodat2", 452, 452),
        ),
        "changes the mode of a file",
        When.NO_WRITE,
    ),
    Refusal(
        (
            Call("chown", 92, None),
            Call("fchown", 93, 55),
            Call("lchown", 94, None),
            Call("fchownat", 260, 54),
        ),
        "changes the owner of a file",
        When.NO_WRITE,
    ),
    Refusal(
        (
            Call("utime", 132, None),
            Call("utimes", 235, None),
            Call("futimesat", 261, None),
            Call("utimensat", 280, 88),
        ),
        "changes the times of a file",
        When.NO_WRITE,
    ),
    Refusal(
        (
            Call("setxattr", 188, 5),
            Call("lsetxattr", 189, 6),
            Call("fsetxattr", 190, 7),
            Call("setxattrat", 463, 463),
            Call("removexattr", 197, 14),
            Call("lremovexattr", 198, 15),
            Call("fremovexattr", 199, 16),
            Call("removexattrat", 466, 466),
        ),
        "changes extended attributes of a file",
        When.NO_WRITE,
    ),
    Refusal((Call("file_setattr", 469, 469),), "changes a file's attributes", When.NO_WRITE),
    Refusal(
        (Call("fcntl", 72, 25),),
        "holds up whoever opens a file for writing",
        When.NO_WRITE,
        Unless.NO_LEASE,
    ),
    # Threads have numbers like processes, so that others than those which only read may need it.
    Refusal(
        (
            Call("sched_setaffinity", 203, 122),
            Call("sched_setattr", 314, 274),
            Call("sched_setparam", 142, 118),
            Call("sched_setscheduler", 144, 119),
        ),
        "slows down other processes of the user",
        When.ONLY_READS,
        Unless.OWN_PROCESS,
    ),
    Refusal(
        (Call("setpriority", 141, 140),),
        "slows down other processes of the user",
        When.ONLY_READS,
        Unless.OWN_PRIORITY,
    ),
    Refusal(
        (Call("ioprio_set", 251, 30),),
        "slows down other processes of the user",
        When.ONLY_READS,
        Unless.OWN_IO_PRIORITY,
    ),
    Refusal(
        (
            Call("shmget", 29, 194),
            Call("shmat", 30, 196),
            Call("shmctl", 31, 195),
            Call("semget", 64, 190),
            Call("semop", 65, 193),
            Call("semtimedop", 220, 192),
            Call("semctl", 66, 191),
            Call("msgget", 68, 186),
            Call("msgsnd", 69, 189),
            Call("msgrcv", 70, 188),
            Call("msgctl", 71, 187),
            Call("mq_open", 240, 180),
            Call("mq_unlink", 241, 181),
        ),
        "what it makes outlives the call, and what others made it can read, change and remove",
        When.NO_WRITE,
    ),
    Refusal(
        (Call("truncate", 76, 45), Call("creat", 85, None)),
        "empties a file that may not be written",
        When.NO_WRITE_OLD,
    ),
    Refusal(
        (Call("open", 2, None),),
        "empties a file that may not be written",
        When.NO_WRITE_OLD,
        Unless.NO_TRUNCATION_AT_1,
    ),
    Refusal(
        (Call("openat", 257, 56),),
        "empties a file that may not be written",
        When.NO_WRITE_OLD,
        Unless.NO_TRUNCATION_AT_2,
    ),
    Refusal(
        (Call("openat2", 437, 437),),
        "its flags are in memory, where a filter cannot look",
        When.NO_WRITE_OLD,
        Unless.SECRET_AT_4,
        errno.ENOSYS,
    ),
    # EACCES is what socket(2) documents, and what libraries are ready for.
    Refusal(
        (Call("socket", 41, 198),),
        "speaks to others, on this machine or elsewhere",
        When.NO_NETWORK,
        Unless.OWN_INTERNET,
        errno.EACCES,
    ),
    Refusal(
        (Call("socketpair", 53, 199),),
        "of another kind it can be given a name, and speak to others",
        When.NO_NETWORK,
        Unless.UNNAMED_PAIR,
        errno.EACCES,
    ),
    Refusal(
        (Call("connect", 42, 203), Call("bind", 49, 200)),
        "gives a name to a socket that came from elsewhere",
        When.NO_NETWORK,
        Unless.OWN_NETWORK,
        errno.EACCES,
    ),
)
