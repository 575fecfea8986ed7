"""A web server of its own for each test."""

import pytest

from tests.offline.fetch.remote import WebServer


@pytest.fixture
def web():
    server = WebServer()
    yield server
    server.close()
