//! Listeners, socket options, splice: everything that touches a file descriptor.
