"""What several tests of compilers go through."""

import pytest

from iterable_pipelines.activation.project import ProjectType


@pytest.fixture(params=["email", "userid", "hybrid"])
def project(request: pytest.FixtureRequest) -> ProjectType:
    """Each of the three types of projects."""
    kind: ProjectType = request.param
    return kind
