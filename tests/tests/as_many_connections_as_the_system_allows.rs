//! Systems give a process few open files at first, and allow it to ask for more. Each connection is an open file.

use murre_tests::{Broker, RawSocket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn the_broker_allows_itself_as_many_open_files_as_the_system_does() {
    // the limits of this process are those that the broker begins with; no other test may stand in this file
    let limit = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(256), maximum: limit.maximum };
    setrlimit(Resource::Nofile, few).expect("a limit may be lowered");

    let broker = Broker::start();

    setrlimit(Resource::Nofile, limit).expect("and be raised again");
    let (soft, hard) = broker.open_files_limits();
    assert_eq!(soft, hard);
    let clients: Vec<_> = (0..300).map(|_| RawSocket::connected(&broker)).collect();
    assert!(broker.open_files() > clients.len());
}
