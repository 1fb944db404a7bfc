"""Pinning, where it goes other ways: as another user, on older kernels, without descriptors."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance import HOST
from realproc import run_host

from agent_exec.errors import TemplateError
from agent_exec.template.pin import pin_descriptor, pin_path

pytestmark = pytest.mark.timeout(30)

OLD_KERNEL = """
    # Without a thread of its own to ask on, the kernel is not asked; as before 6.14.
    refuse_system_calls([{"x86_64": 272, "aarch64": 97}[os.uname().machine]], errno.EPERM)
"""
LIBCS_ANSWER = """
    # By the mode alone: what libc says for faccessat2(2), which kernels have since 5.8.
    os.access = lambda *_, **__: True
"""
NOBODY = """
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
"""
KERNELS = {"this": "", "before-6.14": OLD_KERNEL}


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> str:
    return KERNELS[request.param]


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that everybody may search, unlike those of pytest. Needs root."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        yield Path(folder)


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        pytest.param(0o755, "works", id="readable"),
        pytest.param(0o711, "works", id="executable-but-not-readable"),
        pytest.param(0o744, "EACCES", id="readable-but-not-executable"),
        pytest.param(0o750, "EACCES", id="somebody-elses"),
    ],
)
def test_who_is_not_root_may_execute_what_its_mode_allows(
    launcher_name: str, kernel: str, open_to_all: Path, mode: int, found: str
) -> None:
    path = open_to_all / "program"
    path.write_bytes(Path("/bin/true").read_bytes())
    path.chmod(mode)
    look = """
    try:
        print(outcome(create(sys.argv[1])))
    except TemplateError as error:
        print(errno.errorcode[error.errno])
    """
    done = run_host(launcher_name, HOST + NOBODY + kernel + look, str(path))
    assert done.stdout == f"{found}\n"


def test_whoever_acts_as_somebody_else_may_execute_what_that_user_may(
    launcher_name: str, kernel: str, open_to_all: Path
) -> None:
    """The effective user counts; access(2) by itself would ask for the real one."""
    path = open_to_all / "program"
    path.write_bytes(Path("/bin/true").read_bytes())
    path.chmod(0o744)
    look = """
    os.setegid(65534); os.seteuid(65534)
    try:
        create(sys.argv[1])
        print("made")
    except TemplateError as error:
        print(errno.errorcode[error.errno])
    """
    done = run_host(launcher_name, HOST + kernel + look, str(path))
    assert done.stdout == "EACCES\n"


@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param("", id="this"),
        pytest.param(OLD_KERNEL, id="before-6.14"),
        pytest.param(OLD_KERNEL + LIBCS_ANSWER, id="before-5.8-in-a-setuid-program"),
    ],
)
def test_a_noexec_mount_is_noticed_when_the_template_is_made(kernel: str, tmp_path: Path) -> None:
    words = ("unshare", "--mount")
    if subprocess.run([*words, "/bin/true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs a mount namespace")
    prepare = """
    path = program(sys.argv[1])
    mount("-o", "remount,noexec", sys.argv[1])
    """
    look = """
    print(refusal(lambda: create(path)))
    """
    done = run_host("portable", HOST + prepare + kernel + look, str(tmp_path), wrapper=words)
    assert done.stdout == "EACCES\n"


def test_only_a_memfd_may_be_open_for_writing(kernel: str, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(Path("/bin/true").read_bytes())
    path.chmod(0o755)
    look = """
    memfd = os.memfd_create("program")
    os.write(memfd, Path(TRUE).read_bytes())
    os.fchmod(memfd, 0o755)
    print(outcome(create(memfd)))
    print(refusal(lambda: create(os.open(sys.argv[1], os.O_RDWR))))
    print(refusal(lambda: create(os.open(sys.argv[1], os.O_WRONLY))))
    print(refusal(lambda: create(os.open(f"/proc/self/fd/{memfd}", os.O_WRONLY))))
    """
    done = run_host("portable", HOST + kernel + look, str(path))
    assert done.stdout.split() == ["works", "ETXTBSY", "ETXTBSY", "ETXTBSY"]


def test_descriptors_are_never_those_of_standard_streams(tmp_path: Path) -> None:
    """A host may run without them; the child's own would land on ours."""
    script = """
    from agent_exec.template.directory import Directory
    given = os.open(TRUE, os.O_RDONLY)
    os.closerange(0, 3)
    kept = [create(TRUE), create(given), Directory("/")]
    fds = [kept[0].executable.fd, kept[1].executable.fd, kept[2].fd]
    os._exit(0 if min(fds) >= 3 and not os.path.exists("/proc/self/fd/0") else 1)
    """
    run_host("portable", HOST + script)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param(None, "NoneType", id="none"),
        pytest.param(1.5, "float", id="number"),
        pytest.param("/bin/\ud800", "surrogates not allowed", id="lone-surrogate"),
        pytest.param("/bin/true\0", "absolute path", id="nul"),
    ],
)
def test_what_is_no_path_is_refused(path: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=reason) as caught:
        pin_path(path)
    assert os.strerror(caught.value.errno) == "Invalid argument"


def test_a_path_has_as_many_bytes_as_the_system_allows() -> None:
    """4095, and the NUL."""
    with pytest.raises(TemplateError, match="not a regular file"):
        pin_path("/" + "./" * 2047)
    with pytest.raises(TemplateError, match="at most 4095 bytes"):
        pin_path("/" + "./" * 2047 + ".")


def test_what_no_descriptor_can_be_is_not_open() -> None:
    with pytest.raises(TemplateError, match="Bad file descriptor"):
        pin_descriptor(2**70)
