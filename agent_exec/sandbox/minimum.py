"""What every program needs, whatever it does: to be loaded, to know the machine, to say nothing."""

from __future__ import annotations

import glob
import os

from agent_exec.sandbox import landlock

# Nothing secret in them, and much that does not work without.
_ETC = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld-musl-*.path", "alternatives"),
    *("localtime", "timezone", "locale.alias", "locale.conf", "default/locale", "papersize"),
    *("passwd", "group", "nsswitch.conf", "hosts", "host.conf", "hostname", "resolv.conf"),
    *("gai.conf", "services", "protocols", "networks", "rpc", "ethertypes", "shells"),
    *("os-release", "debian_version", "lsb-release", "redhat-release", "alpine-release"),
    *("ssl/certs", "ssl/openssl.cnf", "ca-certificates", "ca-certificates.conf"),
    *("pki/tls/certs", "pki/ca-trust", "crypto-policies", "gnutls"),
    *("mime.types", "magic", "magic.mime", "mailcap", "inputrc", "terminfo", "profile"),
    *("profile.d", "bash.bashrc", "bashrc", "zsh", "gitconfig", "gitattributes", "vim", "vimrc"),
    *("nanorc", "emacs", "python*", "perl", "java*", "maven", "gradle", "fonts", "manpath.config"),
    *("man_db.conf", "pip.conf", "npmrc", "dpkg", "xdg", "ImageMagick*", "groff", "grep*"),
)
_SYSTEM = ("/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm")
# What is about no process.
_PROC = (
    *("cgroups", "cmdline", "cpuinfo", "devices", "diskstats", "filesystems", "interrupts"),
    *("loadavg", "meminfo", "misc", "modules", "partitions", "pressure", "softirqs", "stat"),
    *("swaps", "sys", "uptime", "version", "vmstat"),
)
# CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON
_SEES_ALL = 1 << 19 | 1 << 21 | 1 << 38
# The last is the terminal of a session, which a call has only where it was given one.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_FOR_CODE = ("/dev/shm",)  # semaphores and shared memory of POSIX
_LOADERS = ("/lib*/ld-*.so*", "/usr/lib*/ld-*.so*", "/lib/*/ld-*.so*", "/usr/lib/*/ld-*.so*")


def named() -> list[str]:
    """What every program may read in /etc, as it is called there."""
    return [path for each in _ETC for path in glob.glob(f"/etc/{each}")]


def readable() -> tuple[str, ...]:
    """Absolute paths, without links, that exist."""
    proc = [f"/proc/{name}" for name in _PROC] if sees_all_processes() else ["/proc"]
    return _real([*named(), *filter(os.path.exists, (*_SYSTEM, *proc))])


def sees_all_processes() -> bool:
    """Would children read the memory and environment of other processes in /proc?

    Landlock keeps those of others than the call from them, but not from root: to read, the
    kernel takes CAP_PERFMON for leave to.

    Source:
        may_access_mm() in kernel/fork.c.
    """
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"CapEff:"):
                    return bool(int(line.split()[1], 16) & _SEES_ALL)
    except OSError:
        return True
    return True


def loaders() -> tuple[str, ...]:
    """Of dynamic programs: they are executed with each."""
    return _real([path for each in _LOADERS for path in glob.glob(each)])


def devices() -> tuple[tuple[str, int], ...]:
    """With what may be done with them."""
    access = landlock.READ_FILE | landlock.WRITE_FILE | landlock.TRUNCATE | landlock.IOCTL_DEV
    return tuple([(path, access) for path in _DEVICES if os.path.exists(path)])


def for_code() -> tuple[str, ...]:
    """Written by programs of any kind."""
    return _real(filter(os.path.isdir, _FOR_CODE))


def _real(paths: list[str] | filter[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(os.path.realpath, paths)))
