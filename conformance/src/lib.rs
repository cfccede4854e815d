//! Cases of HTTP/1.1 conformance, run over the network against any subject.
