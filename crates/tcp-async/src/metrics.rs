//! How do counters and states get into a metrics system? Through the `metrics` facade, when the
//! application asks or every so often: packets pay nothing for it.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use tcp_core::connection::State;

use crate::net::Net;

impl Net {
    /// Hands the present values to the installed recorder of the `metrics` crate, under the label
    /// `net` with the value `name`:
    ///
    /// | metric | |
    /// |---|---|
    /// | `nstat_TcpActiveOpens` and all other [counters](Self::counters) | counter |
    /// | `tcp_connections` with the label `state` | gauge |
    /// | `tcp_orphans` | gauge |
    ///
    /// Cost: a look-up in the recorder for each metric, about 100; call it every few seconds, or
    /// when the metrics are fetched.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// use metrics_util::debugging::{DebugValue, DebuggingRecorder};
    ///
    /// # let refused = net.connect("10.0.0.1:80").await;
    /// // A program installs its recorder; this one keeps what it is told.
    /// let recorder = DebuggingRecorder::new();
    /// metrics::with_local_recorder(&recorder, || net.publish_metrics("vpn"));
    ///
    /// let values = recorder.snapshotter().snapshot().into_vec();
    /// let opens = values.iter().find(|(key, ..)| key.key().name() == "nstat_TcpActiveOpens");
    /// let (key, .., value) = opens.expect("every counter is there");
    /// assert_eq!(key.key().labels().next().map(|label| label.value()), Some("vpn"));
    /// assert_eq!(*value, DebugValue::Counter(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_metrics(&self, name: &str) {
        let (counters, summary) = (self.counters(), self.summary());
        for row in counters.rows() {
            let metric = format!("nstat_{}", row.name);
            describe_counter!(metric.clone(), row.meaning);
            counter!(metric, "net" => name.to_owned()).absolute(row.value);
        }
        describe_gauge!("tcp_connections", "Connections, records and listeners in a state.");
        for state in State::ALL {
            let labels = [("net", name.to_owned()), ("state", state.name().to_owned())];
            gauge!("tcp_connections", &labels).set(summary.count(state));
        }
        describe_gauge!("tcp_orphans", "Connections that finish without their application.");
        gauge!("tcp_orphans", "net" => name.to_owned()).set(summary.orphans);
    }

    /// Publishes every `period`, and a last time when the stack has ended. A future to spawn; it
    /// ends with the stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// use metrics_util::debugging::{DebugValue, DebuggingRecorder};
    /// use std::time::Duration;
    ///
    /// let recorder = DebuggingRecorder::new();
    /// let _here = metrics::set_default_local_recorder(&recorder);
    /// let publishing = net.clone();
    /// let publisher = tokio::spawn(async move {
    ///     publishing.publish_metrics_every(Duration::from_secs(10), "vpn").await;
    /// });
    /// # let refused = net.connect("10.0.0.1:80").await;
    /// net.shutdown().await;
    /// publisher.await?; // it has published the last values
    ///
    /// let values = recorder.snapshotter().snapshot().into_vec();
    /// let opens = values.iter().find(|(key, ..)| key.key().name() == "nstat_TcpActiveOpens");
    /// assert_eq!(opens.map(|(.., value)| value), Some(&DebugValue::Counter(1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping it ends the publishing.
    pub async fn publish_metrics_every(&self, period: Duration, name: &str) {
        loop {
            self.publish_metrics(name);
            if tokio::time::timeout(period, self.ended()).await.is_ok() {
                self.publish_metrics(name);
                return;
            }
        }
    }
}
