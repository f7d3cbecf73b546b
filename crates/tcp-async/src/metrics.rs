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
