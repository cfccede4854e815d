//! What holds for policies, seen from outside: one idea a file.

mod backups;
mod chi_square;
mod cluster;
mod cold_server;
mod eligible;
mod failing_server;
mod least;
mod probes;
mod shares;
mod slow_server;
mod slow_start;
mod subsets;
mod workers;
