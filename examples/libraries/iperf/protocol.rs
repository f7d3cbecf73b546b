//! What do the two ends of iperf3 say to each other? A cookie that names the test, states of one
//! octet, and JSON with its length in front. The connections that carry text begin with the cookie.

use std::future::Future;
use std::io;
use std::time::Duration;

use library_examples::common::{Error, Result};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use tcp_async::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// What names a test: 36 characters and a zero.
pub(crate) type Cookie = [u8; 37];

/// The longest JSON text taken from a peer: results of 128 streams with a margin.
const MAX_JSON: u32 = 256 << 10;
/// As many as iperf3 takes.
pub(crate) const MAX_PARALLEL: u32 = 128;
/// The largest block of iperf3 for TCP.
pub(crate) const MAX_LEN: u32 = 1 << 20;
/// iperf3's number for an option that is not implemented (`IEUNIMP`).
const NOT_IMPLEMENTED: i32 = 13;

/// How long a peer may take for a step of the conversation.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a step of the conversation, but not for ever.
pub(crate) async fn soon<F: Future>(what: &str, step: F) -> Result<F::Output> {
    let late = |_| format!("{what} did not come within {PATIENCE:?}");
    Ok(timeout(PATIENCE, step).await.map_err(late)?)
}

/// Where a test is. The server leads; the client says only `TestEnd`, `ClientTerminate` and
/// `IperfDone`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub(crate) enum State {
    TestStart = 1,
    TestRunning = 2,
    TestEnd = 4,
    ParamExchange = 9,
    CreateStreams = 10,
    ServerTerminate = 11,
    ClientTerminate = 12,
    ExchangeResults = 13,
    DisplayResults = 14,
    IperfDone = 16,
    AccessDenied = -1,
    ServerError = -2,
}

impl State {
    fn of(octet: i8) -> Option<State> {
        use State::*;
        [
            TestStart,
            TestRunning,
            TestEnd,
            ParamExchange,
            CreateStreams,
            ServerTerminate,
            ClientTerminate,
            ExchangeResults,
            DisplayResults,
            IperfDone,
            AccessDenied,
            ServerError,
        ]
        .into_iter()
        .find(|state| *state as i8 == octet)
    }
}

/// What the client asks for. What is left out has iperf3's default.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(crate) struct Parameters {
    pub(crate) tcp: bool,
    #[serde(skip_serializing)]
    pub(crate) udp: bool,
    #[serde(skip_serializing)]
    pub(crate) sctp: bool,
    /// Seconds at the beginning that do not count.
    pub(crate) omit: u64,
    /// Seconds.
    pub(crate) time: u64,
    /// Octets instead, if not 0.
    pub(crate) num: u64,
    /// Blocks instead, if not 0.
    pub(crate) blockcount: u64,
    pub(crate) parallel: u32,
    /// Octets of a block.
    pub(crate) len: u32,
    /// The server sends.
    #[serde(skip_serializing_if = "is_off")]
    pub(crate) reverse: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub(crate) bidirectional: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub(crate) nodelay: bool,
    /// Bits a second at most, if not 0.
    #[serde(skip_serializing)]
    pub(crate) bandwidth: u64,
    pub(crate) client_version: String,
}

/// For iperf3 an option is on if it is named, whatever its value.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_off(option: &bool) -> bool {
    !option
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            tcp: true,
            udp: false,
            sctp: false,
            omit: 0,
            time: 10,
            num: 0,
            blockcount: 0,
            parallel: 1,
            len: 128 << 10,
            reverse: false,
            bidirectional: false,
            nodelay: false,
            bandwidth: 0,
            client_version: concat!("library-examples ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Parameters {
    /// Why a server of ours can't do it, if so. The client ends the test, so only what we would have
    /// to do ourselves counts.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        let refused = [
            (self.udp || self.sctp, "another protocol than TCP"),
            (self.bidirectional, "both directions at once"),
            (self.omit > 0, "seconds that do not count"),
            (self.reverse && self.bandwidth > 0, "a limit to our rate"),
            (!(1..=MAX_PARALLEL).contains(&self.parallel), "this number of streams"),
            (!(1..=MAX_LEN).contains(&self.len), "this length of a block"),
        ];
        refused.into_iter().find_map(|(is, what)| is.then_some(what))
    }
}

/// What an end has counted.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Results {
    pub(crate) cpu_util_total: f64,
    pub(crate) cpu_util_user: f64,
    pub(crate) cpu_util_system: f64,
    /// 1 if the counts of retransmissions say something.
    #[serde(deserialize_with = "signed")]
    pub(crate) sender_has_retransmits: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) congestion_used: Option<String>,
    pub(crate) streams: Vec<StreamResults>,
}

#[derive(Clone, Default, Serialize, Deserialize, Debug)]
pub(crate) struct StreamResults {
    pub(crate) id: u32,
    pub(crate) bytes: u64,
    /// -1 if unknown.
    #[serde(deserialize_with = "signed")]
    pub(crate) retransmits: i64,
    // For UDP.
    pub(crate) jitter: f64,
    pub(crate) errors: i64,
    pub(crate) packets: i64,
    /// Seconds.
    #[serde(default)]
    pub(crate) start_time: f64,
    #[serde(default)]
    pub(crate) end_time: f64,
}

/// iperf3 writes a negative number as the unsigned one of the same bits, some versions of it.
fn signed<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let signed = number.as_i64().or_else(|| number.as_u64().map(u64::cast_signed));
    signed.ok_or_else(|| D::Error::custom(format!("{number} is no count")))
}

/// The number of a stream, which both ends give it by themselves: iperf3 leaves out 2.
pub(crate) fn stream_id(index: usize) -> u32 {
    let n = u32::try_from(index).expect("at most 128 streams");
    if n == 0 { 1 } else { n + 2 }
}

/// The connection on which a test is led.
pub(crate) struct Control(pub(crate) TcpStream);

impl Control {
    pub(crate) async fn say(&mut self, state: State) -> io::Result<()> {
        self.0.write_all(&[state as i8 as u8]).await
    }

    /// Waits for the peer's next state; those that end a test are errors.
    pub(crate) async fn hear(&mut self) -> Result<State> {
        let octet = self.0.read_i8().await.map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Error::from("the peer has closed the test"),
            _ => e.into(),
        })?;
        match State::of(octet) {
            Some(State::AccessDenied) => Err("the server is busy with another test".into()),
            Some(State::ServerTerminate | State::ClientTerminate) => {
                Err("the peer has ended the test".into())
            }
            Some(State::ServerError) => {
                let (number, errno) = (self.0.read_i32().await?, self.0.read_i32().await?);
                Err(format!("the server refuses: iperf3's error {number}, errno {errno}").into())
            }
            Some(state) => Ok(state),
            None => Err(format!("{octet} is no state of a test").into()),
        }
    }

    pub(crate) async fn expect(&mut self, state: State) -> Result {
        match self.hear().await? {
            heard if heard == state => Ok(()),
            heard => Err(format!("the peer says {heard:?} where {state:?} is due").into()),
        }
    }

    pub(crate) async fn expect_soon(&mut self, state: State) -> Result {
        soon(&format!("{state:?}"), self.expect(state)).await?
    }

    /// Ends the test for want of an option, in the form that iperf3 shows its user.
    pub(crate) async fn refuse(&mut self) -> io::Result<()> {
        self.say(State::ServerError).await?;
        self.0.write_i32(NOT_IMPLEMENTED).await?;
        self.0.write_i32(0).await
    }

    pub(crate) async fn send<T: Serialize>(&mut self, value: &T) -> Result {
        let text = serde_json::to_vec(value)?;
        self.0.write_u32(u32::try_from(text.len())?).await?;
        Ok(self.0.write_all(&text).await?)
    }

    pub(crate) async fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
        let len = self.0.read_u32().await?;
        if len > MAX_JSON {
            return Err(format!("the peer announces {len} bytes of JSON").into());
        }
        let mut text = vec![0; len as usize];
        self.0.read_exact(&mut text).await?;
        Ok(serde_json::from_slice(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_numbered_as_iperf3_does() {
        assert_eq!([0, 1, 2, 3].map(stream_id), [1, 3, 4, 5]);
    }

    #[test]
    fn an_option_that_is_off_is_not_named() {
        let text = |p: &Parameters| serde_json::to_string(p).unwrap();
        let plain = text(&Parameters::default());
        for option in ["reverse", "bidirectional", "nodelay", "udp", "sctp"] {
            assert!(!plain.contains(option), "{plain}");
        }
        let reverse = Parameters { reverse: true, ..Parameters::default() };
        assert!(text(&reverse).contains("\"reverse\":true"));
    }

    #[test]
    fn a_count_that_is_unknown_may_look_very_large() {
        for unknown in ["-1", "18446744073709551615"] {
            let text = format!(
                r#"{{"cpu_util_total":1.5,"cpu_util_user":1,"cpu_util_system":0.5,
                "sender_has_retransmits":0,"streams":[{{"id":1,"bytes":5,"retransmits":{unknown},
                "jitter":0,"errors":0,"packets":0}}]}}"#
            );
            let results: Results = serde_json::from_str(&text).unwrap();
            assert_eq!(results.streams[0].retransmits, -1);
        }
    }

    #[test]
    fn what_a_client_of_iperf3_sends_is_understood() {
        let text = r#"{"tcp":true,"omit":0,"time":1,"num":0,"blockcount":0,"parallel":4,"reverse":true,
            "len":131072,"pacing_timer":1000,"client_version":"3.12"}"#;
        let p: Parameters = serde_json::from_str(text).unwrap();
        assert_eq!((p.parallel, p.time, p.reverse, p.refusal()), (4, 1, true, None));
        for text in [
            r#"{"udp":true}"#,
            r#"{"bidirectional":true}"#,
            r#"{"parallel":0}"#,
            r#"{"parallel":129}"#,
            r#"{"len":0}"#,
            r#"{"omit":1}"#,
        ] {
            let p: Parameters = serde_json::from_str(text).unwrap();
            assert!(p.refusal().is_some(), "{text}");
        }
    }
}
