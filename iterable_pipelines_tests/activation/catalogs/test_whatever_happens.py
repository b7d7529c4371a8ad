"""Rows come, go, are renamed and swap their items while answers are lost: the catalog follows its table."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from iterable_pipelines_tests.activation.catalogs.shop import MIRROR, products, values
from iterable_pipelines_tests.activation.conftest import AT_ONCE, Activation


@pytest.mark.parametrize("seed", [1, 2])
def test_a_mirror_ends_as_its_table_is(activation_project: Callable[..., Activation], seed: int) -> None:
    chance = Random(seed)
    project = activation_project()
    project.sync("products", MIRROR + "guards: {max_remove_ratio: 1, allow_empty: true}\n")
    rows: list[tuple[int, str, str]] = []
    for nth in range(7):
        # a primary key is one row's, an item may be claimed by two
        keys = chance.sample(range(9), chance.randrange(9))
        rows = [(key, f"sku-{chance.randrange(12)}", chance.choice(("Mug", "Cup"))) for key in keys]
        products(project, *(f"({key}, '{sku}', '{name}', 1)" for key, sku, name in rows))
        if nth < 6:
            project.sandbox.fault("lost_answer", "/api/catalogs/shop/items", times=None, probability=0.5, seed=nth)
        # in the end everything is answered
        project.pace = replace(AT_ONCE, attempts=1 if nth < 6 else AT_ONCE.attempts)
        project.run("products")
        project.sandbox.faults.clear()
    claims = Counter(sku for _, sku, _ in rows)
    wanted = {sku: {"name": name, "price": 1} for _, sku, name in rows if claims[sku] == 1}
    found = values(project) or {}
    assert {sku: value for sku, value in found.items() if claims[sku] < 2} == wanted
    assert project.run("products").requests == 0
