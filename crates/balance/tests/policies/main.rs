//! What holds for policies, seen from outside: one idea a file.

mod cluster;
mod probes;
mod slow_server;
mod subsets;
mod workers;
