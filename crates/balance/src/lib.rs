//! Balancing policies: which server takes the next request.
