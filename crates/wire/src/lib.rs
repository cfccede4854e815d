//! Sans-I/O codecs: HTTP/1 heads and bodies, PROXY protocol.
