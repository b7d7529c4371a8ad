"""docs/two-way.md: its example loads, its tables name every field, code and guard that there is."""

import re
import shutil
from typing import get_args

from iterable_pipelines.settings import Settings
from iterable_pipelines.two_way.declaration import Approval, CatalogTwoWay, Guards, TemplateTwoWay, load_two_way
from iterable_pipelines_tests.cli.command import CHECKOUT

DOCS = CHECKOUT / "docs"
TEXT = (DOCS / "two-way.md").read_text(encoding="utf-8")


def test_the_example_is_a_two_way_synchronization(tmp_path):
    (tmp_path / "two_way").mkdir()
    shutil.copy(DOCS / "two-way-example.yml", tmp_path / "two_way" / "products.yml")
    (found,) = load_two_way(Settings(api_key="sandbox", project_root=tmp_path, data_dir=tmp_path / "data"))
    assert isinstance(found, CatalogTwoWay) and found.conflict == "newest" and found.deletes


def test_every_field_has_its_row():
    named = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    fields = {*CatalogTwoWay.model_fields, *TemplateTwoWay.model_fields, *Guards.model_fields} - {"name"}
    assert named == fields


def test_every_guard_and_code_is_told():
    package = CHECKOUT / "iterable_pipelines" / "two_way"
    source = "".join(each.read_text() for each in package.glob("*.py"))
    codes = set(re.findall(r"Unsendable\(\s*\"(\w+)\"", source)) | set(re.findall(r"(?<=select key, ')\w+", source))
    missing = {each for each in {*get_args(Approval), *codes} if f"`{each}`" not in TEXT}
    assert missing == set()
