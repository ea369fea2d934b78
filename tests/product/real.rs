//! A store that speaks S3 and is not ours, as a process of its own: what `.make/s3-server` installs. It ends with the test.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tidemill_model::testing::within;

/// See the module. It has the bucket `tides`.
pub struct RealStore {
    server: Child,
    address: String,
}

impl RealStore {
    #[track_caller]
    pub fn start() -> RealStore {
        let python = within("the store is installed", python);
        let mut server = Command::new(python.trim())
            .arg(repository().join("tests/product/serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        let address = within("the store says where it is", move || {
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            line.trim().to_owned()
        });
        assert!(address.starts_with("http://127.0.0.1:"), "the store has ended");
        RealStore { server, address }
    }

    /// The settings of whoever uses it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let settings = [
            ("AWS_ENDPOINT_URL", self.address.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }
}

impl Drop for RealStore {
    fn drop(&mut self) {
        // If the test is killed, the end of its input ends it.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Where its Python is; it is installed if it is not there.
fn python() -> String {
    let ready = Command::new(repository().join(".make/s3-server")).stderr(Stdio::inherit()).output().unwrap();
    assert!(ready.status.success(), ".make/s3-server says why there is no store to test with");
    String::from_utf8(ready.stdout).unwrap()
}

/// Of whichever crate this is compiled with.
fn repository() -> PathBuf {
    let mut folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    while !folder.join(".make/s3-server").exists() {
        assert!(folder.pop(), "the repository is not where it was compiled");
    }
    folder
}
