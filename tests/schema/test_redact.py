"""No secret is left in what a model reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_exec.schema.redact import REDACTED, Redactor, withheld_secrets

SECRET = "hunter2-hunter2-hunter2"


def test_values_and_patterns_are_replaced() -> None:
    redact = Redactor([r"(?i)bearer [a-z0-9._-]+"], [SECRET])
    assert redact(f"a {SECRET} b\nAuthorization: Bearer abc.def") == (
        f"a {REDACTED} b\nAuthorization: {REDACTED}"
    )


def test_a_secret_within_another_leaves_nothing_of_it() -> None:
    redact = Redactor([], [SECRET, f"{SECRET}-and-more"])
    assert redact(f"{SECRET}-and-more") == REDACTED


@given(st.text(max_size=20), st.integers(1, len(SECRET) - 1))
def test_a_secret_that_was_cut_in_two_is_not_shown_in_halves(before: str, at: int) -> None:
    redact = Redactor([], [SECRET])
    head, tail = redact.head(before + SECRET[:at]), redact.tail(SECRET[at:] + before)
    assert not any(SECRET[:n] in head for n in range(6, at + 1))
    assert not any(SECRET[n:] in tail for n in range(at, len(SECRET) - 5))


@given(st.lists(st.sampled_from([SECRET, "a", " ", "\n", REDACTED, SECRET[:9]]), max_size=12))
def test_no_text_keeps_a_secret(pieces: list[str]) -> None:
    assert SECRET not in Redactor([], [SECRET])("".join(pieces))


def test_which_withheld_variables_are_secrets() -> None:
    ours = {
        "API_KEY": "abcdefgh",
        "DB": "postgres://user:word@host/db",
        "RANDOM_ID": "a1b2c3d4e5f6",
        "PATH": "/usr/bin:/bin-of-somebody",
        "EDITOR": "emacs-nox-28",
        "SOCKET": "/run/user/1000/x.sock",
        "PROXY": "http://proxy:8080/",
        "COUNT": "123456789",
        "NAME": "somebody",
        "LOCALE": "de_DE.UTF-8",
        "SHORT": "s3cr3t",
        "GIVEN_TOKEN": "given-to-children",
        "SAME": "given-to-children",
    }
    passed = {"GIVEN_TOKEN": "given-to-children"}
    assert withheld_secrets(ours, passed) == [
        "abcdefgh",
        "postgres://user:word@host/db",
        "a1b2c3d4e5f6",
    ]
