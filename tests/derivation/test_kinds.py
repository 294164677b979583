"""Layers that differ in their numbers alone are shown once, and what is called k says of which layers it is."""

import re
from collections import defaultdict

import pytest

from symbackprop import Network, dense, derive
from symbackprop.explain.outline import outline


def page(*sizes):
    layers = [item for n in sizes for item in (dense(n), "tanh")][:-1]
    return derive(Network(layers, input=(sizes[0],), loss="squared", penalty="l2"), exact_form=True)


def shown(title):
    """The numbers of the layers that a section's title names."""
    if single := re.match(r"Layer (\d+): ", title):
        return [int(single[1])]
    named = title.partition(", k = ")[2]
    first, _, last = named.partition("..")
    return [*range(int(first), int(last) + 1)] if last else [*map(int, named.split(" and "))]


SIZES = [(2,), (2, 2), (3, 3, 3, 2), (3, 3, 3, 3, 3), (4, 3, 4, 3, 4), (3, 3, 3, 5, 3, 3, 3, 2)]


@pytest.mark.parametrize("sizes", SIZES)
def test_every_layer_is_shown_and_once(sizes):
    titles = [s.title for s in page(*sizes).sections if not s.title.startswith("Parameters")]
    assert sorted(n for title in titles for n in shown(title)) == [*range(1, len(sizes) + 1)]


def test_layers_alike_are_shown_together_wherever_they_are():
    titles = [section.title for section in page(3, 3, 3, 5, 3, 3, 3, 2).sections]
    assert "Layers alike: dense(3), tanh, k = 1 and 2 and 6" in titles
    assert "Parameters of layers alike, and their update, k = 1 and 2 and 6" in titles


def test_what_two_kinds_call_alike_says_of_which_layers_it_is():
    derivation = page(3, 3, 3, 5, 5, 5, 5, 2)
    told = outline(derivation).sections
    for section in (told[0], told[-1]):
        lines = defaultdict(set)
        for line in section.lines:
            lines[line.target].add((line.sides, line.note))
        several = [found for found in lines.values() if len({sides for sides, _ in found}) > 1]
        assert several
        assert {note for found in several for _, note in found} == {"k = 1..2", "k = 5..6"}
    derivation.check()


def test_a_network_of_any_depth_is_the_lectures():
    pages = [derive(Network(("tanh",) * depth), exact_form=True) for depth in (1, 2, 5)]
    assert pages[0].given == pages[1].given == pages[2].given
    assert pages[0].sections == pages[1].sections == pages[2].sections
