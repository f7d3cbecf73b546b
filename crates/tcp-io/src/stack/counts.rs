//! How many are there? The sizes of the stack's tables; the summary by state is in `rows`.

use super::Stack;

impl Stack {
    /// Connections in all states but TIME-WAIT.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert_eq!((a.connection_count(), b.connection_count()), (1, 1));
    /// ```
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Connections that their application has closed and that are not over.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.close(now, client);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.orphan_count(), 1); // in FIN-WAIT-2: the peer has not closed
    /// b.close(now, server);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.orphan_count(), 0);
    /// ```
    pub fn orphan_count(&self) -> usize {
        self.connections.orphans()
    }

    /// Half-open records.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// b.listen("10.0.0.2:80".parse()?, ListenOptions::default())?;
    /// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// let syn = a.poll_transmit(now).unwrap().to_vec();
    /// b.receive(now, &syn, RxChecksum::Unknown, None);
    /// assert_eq!((b.half_open_count(), b.connection_count()), (1, 0));
    /// carry(now, &mut a, &mut b); // SYN-ACK and ACK
    /// assert_eq!((b.half_open_count(), b.connection_count()), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn half_open_count(&self) -> usize {
        self.half_open.len()
    }

    /// TIME-WAIT records.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.close(now, client);
    /// b.close(now, server);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.time_wait_count(), 1);
    /// a.on_deadline(now + Duration::from_secs(61));
    /// assert_eq!(a.time_wait_count(), 0);
    /// ```
    pub fn time_wait_count(&self) -> usize {
        self.time_wait.len()
    }

    /// Endpoints that have an owner: the sum of the tables, when nothing leaks.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert_eq!(a.demux_count(), 1);
    /// a.abort(client);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.demux_count(), 0);
    /// ```
    pub fn demux_count(&self) -> usize {
        self.demux.len() + self.half_open.len() + self.time_wait.len()
    }

    /// Timers that are set.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"hello")?;
    /// a.poll_transmit(now).unwrap();
    /// assert_eq!(a.timer_count(), 1); // it may have to be sent again
    /// a.abort(client);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!((a.timer_count(), a.next_deadline()), (0, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timer_count(&self) -> usize {
        self.wheel.len()
    }
}
