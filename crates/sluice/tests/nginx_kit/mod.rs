//! Debian's nginx as a server that speaks TLS, in front of a test's own server.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use testkit::TempDir;

use crate::tls_kit::Files;

/// A running nginx. It is killed when dropped.
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one at `address`, which agrees upon HTTP/2 only where `speaks_http2`, and passes everything on to `server`.
    /// Its answers tell by `x-spoken` what was spoken with it. It answers
    /// `/nginx` itself.
    pub(crate) fn start(
        address: SocketAddr,
        files: &Files,
        speaks_http2: bool,
        server: SocketAddr,
    ) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().display();
        let http2 = if speaks_http2 { "http2" } else { "" };
        let (cert, key) = (files.cert.display(), files.key.display());
        let configuration = format!(
            r"
daemon off;
master_process off;
pid {path}/pid;
error_log {path}/errors;
events {{ worker_connections 256; }}
http {{
    access_log off;
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        '' '';
    }}
    client_body_temp_path {path}/body;
    proxy_temp_path {path}/proxy;
    fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi;
    scgi_temp_path {path}/scgi;
    client_max_body_size 64m;
    server {{
        listen {address} ssl {http2};
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location = /nginx {{
            return 200;
            add_header x-spoken $server_protocol;
        }}
        location / {{
            proxy_pass http://{server};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            add_header x-spoken $server_protocol always;
        }}
    }}
}}
"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration).expect("to write");
        let mut child = Command::new("nginx")
            .arg("-e")
            .arg(folder.path().join("errors"))
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx");
        testkit::wait_until("nginx listens", || {
            assert!(child.try_wait().expect("a child").is_none(), "it ended");
            std::net::TcpStream::connect(address).is_ok()
        });
        Self {
            child,
            address,
            _folder: folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
