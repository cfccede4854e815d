//! Clusters of endpoints, connection pools, connecting.
