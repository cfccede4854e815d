//! The data plane: layer 4 and layer 7, from listener to server.
