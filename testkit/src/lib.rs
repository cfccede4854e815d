//! Clients, scripted servers and a running balancer, for tests.
