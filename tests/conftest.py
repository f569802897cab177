"""What every test shares: no network beyond this machine."""

import pytest
import pytest_socket


@pytest.fixture(autouse=True)
def network_closed_but_for_this_machine():
    """Loopback and Unix sockets only, so that no test depends on the outside."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    pytest_socket._remove_restrictions()
