//! A PostgreSQL of the tests' own, which ends with them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The server ends when its standard input does: with this process, however that ends.
const SCRIPT: &str = r#"
set -e
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done
here=$(mktemp -d)
initdb -D "$here/data" -A trust -U sceau -E UTF8 --locale=C --no-sync >"$here/initdb.log" 2>&1
postgres -D "$here/data" -k "$here" -F -c listen_addresses= -c max_connections=300 -c max_prepared_transactions=0 \
    >"$here/log" 2>&1 </dev/null &
server=$!
until pg_isready -q -h "$here" -U sceau; do kill -0 $server; sleep 0.1; done
echo "$here"
cat >/dev/null
kill -INT $server
wait $server || true
rm -rf "$here"
"#;

/// A connection string to a database nobody else uses, on the server of `SCEAU_TEST_POSTGRES` (scripts/with-postgres: one
/// for all tests, each of which may be a process), or on one that is started for this process.
pub fn fresh_database() -> String {
    static SERVER: OnceLock<(Option<Child>, String)> = OnceLock::new();
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let (_, server) = SERVER.get_or_init(|| match std::env::var("SCEAU_TEST_POSTGRES") {
        Ok(url) => (None, url.replace("dbname=postgres", "")),
        Err(_) => {
            let (child, folder) = start();
            (Some(child), format!("host={folder} user=sceau "))
        }
    });
    let database = format!("world_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut client = postgres::Client::connect(&format!("{server} dbname=postgres"), postgres::NoTls).unwrap();
    client.batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
    format!("{server} dbname={database}")
}

fn start() -> (Child, String) {
    // PostgreSQL refuses to run as root.
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0);
    let mut command = match root {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c", SCRIPT]);
            command
        }
        false => {
            let mut command = Command::new("sh");
            command.args(["-c", SCRIPT]);
            command
        }
    };
    let command = command.current_dir("/").env_remove("TMPDIR").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("setpriv and sh");
    let mut folder = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut folder).unwrap();
    assert!(!folder.is_empty(), "PostgreSQL did not start: is the package postgresql installed?");
    (child, folder.trim_end().to_owned())
}
