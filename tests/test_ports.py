"""A port that is given to a server is not given to a connection before."""

from support.ports import first_port_of_connections, free_ports


def test_free_ports_are_none_of_connections_and_each_is_given_once() -> None:
    """Break: bind port 0, and take the port that the system gives."""
    found = free_ports(3) + free_ports(3)
    assert len(set(found)) == 6
    # A system may give nearly all of its ports to connections.
    assert max(found) < max(first_port_of_connections(), 10_000)
