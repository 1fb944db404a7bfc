"""Words of ps: which show the environments of processes."""

from __future__ import annotations

import pytest

from agent_exec.model.effect import EffectKind
from agent_exec.policy.languages.ps import ps

SHOW = (
    *("e", "axe", "axZe", "axnew", "x e", "r -f e", "-f x e", "--forest axe", "-o pid,args ax e"),
    # With an option that ps does not know so, all words count as those without a dash.
    *("-ex", "-eax", "-efx", "-x -e", "-f xe", "-fxe", "-e -ww -x", "-ex -p 1", "-exo pid,args"),
    *("-e -x --sort pid", "-axe", "-ef -u x", "-u e ax", "-C e -u x"),
    # The word before has its value already, or takes none.
    *("-C -o axe", "-C axe axe", "-p1 axe", "-opid axe", "-L axe", "--no-headers axe"),
    *("ax -o pid,environ", "axo environ", "--format=ENVIRON", "-Oenviron"),
)
SHOW_NOT = (
    *("", "aux", "auxf", "-ef", "-e", "-eLf", "-ef ww", "-ejH", "-eF", "-e --forest", "-aux"),
    *("-eo pid,comm,etime", "axo etime,pid", "-o pid,etime= -p 1", "o pid,etime", "-Fp 1"),
    *("-C node", "-C chrome -o pid,etime", "aux --sort=-%mem", "aux --sort -rss", "--ppid 1"),
    *("-u root -o pid,cmd", "-u root -f", "--user postgres", "-fp 1", "-p 1,2 -o etime", "-T -p 1"),
)


@pytest.mark.parametrize("words", SHOW)
def test_it_shows_the_environments(words: str) -> None:
    effects = ps(("ps", *words.split()), frozenset(), None).effects

    assert [(each.kind, each.path) for each in effects] == [(EffectKind.READ, None)]


@pytest.mark.parametrize("words", SHOW_NOT)
def test_it_shows_only_names_words_and_numbers(words: str) -> None:
    assert ps(("ps", *words.split()), frozenset(), None).effects == ()


def test_names_that_nobody_knows_may_be_options() -> None:
    effects = ps(("ps", "aux", "*"), frozenset({2}), None).effects

    assert [each.kind for each in effects] == [EffectKind.UNKNOWN]
