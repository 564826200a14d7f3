"""The Docker of these tests, one for all of them."""

import pytest

from tests.container.docker import IMAGE, running


@pytest.fixture(scope="session")
def docker():
    yield from running()


@pytest.fixture(scope="session")
def image(docker):
    docker("build", "--network=host", f"--build-arg=BASE={docker.base}", f"--tag={IMAGE}", ".")
    return docker.inspect(IMAGE)
