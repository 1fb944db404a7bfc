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
_SYSTEM = ("/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FOR_CODE = ("/dev/shm",)  # semaphores and shared memory of POSIX
_LOADERS = ("/lib*/ld-*.so*", "/usr/lib*/ld-*.so*", "/lib/*/ld-*.so*", "/usr/lib/*/ld-*.so*")


def readable() -> tuple[str, ...]:
    """Absolute paths, without links, that exist."""
    named = [path for each in _ETC for path in glob.glob(f"/etc/{each}")]
    return _real([*named, *filter(os.path.exists, _SYSTEM)])


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
