//! What is there to know of a connection, and to choose? Its state, counters and label, what the
//! peer's SYN said, its options.

use std::sync::Arc;

use tcp_core::Instant;
use tcp_core::congestion::Controller;
use tcp_core::connection::{Connection, Info, State};
use tcp_core::listen::PeerSyn;

use super::{ConnCell, Inner, Then};
use crate::sync::Ordering;

impl ConnCell {
    /// The state.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::connection::State;
    ///
    /// assert_eq!(server.state(), State::Established);
    /// client.close_write()?;
    /// stack.settle(now);
    /// assert_eq!(server.state(), State::CloseWait);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state(&self) -> State {
        self.lock().conn.state()
    }

    /// A snapshot.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello")?;
    /// assert_eq!((client.info().send_queue, client.info().not_sent), (5, 5));
    /// stack.settle(now);
    /// assert_eq!((client.info().not_sent, server.info().receive_queue), (0, 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info(&self) -> Info {
        self.lock().conn.info()
    }

    /// A snapshot with its spans of time counted up to `now`.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use std::time::Duration;
    ///
    /// client.write(now, b"hello")?;
    /// stack.settle(now);
    /// let later = now + Duration::from_millis(50);
    /// assert_eq!(client.info_at(later).since_text_sent, Some(Duration::from_millis(50)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info_at(&self, now: Instant) -> Info {
        self.lock().conn.info_at(now)
    }

    /// What the application calls the connection.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.label(), None);
    /// client.set_label(Some("upstream".into()));
    /// assert_eq!(client.label().as_deref(), Some("upstream"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn label(&self) -> Option<Arc<str>> {
        self.lock().label().cloned()
    }

    /// Gives the connection a name for tables, or takes it away.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_io::stack::{Cursor, Filter};
    ///
    /// client.set_label(Some("upstream".into()));
    /// let rows = stack.slice(now, &Filter::new().label("upstream"), &mut Cursor::default());
    /// assert_eq!((rows.len(), rows[0].id), (1, Some(id)));
    /// client.set_label(None);
    /// assert_eq!(client.label(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_label(&self, label: Option<Arc<str>>) {
        let mut inner = self.lock();
        if label.is_some() || inner.extras.is_some() {
            inner.extras.get_or_insert_default().label = label;
        }
    }

    /// Takes over a listener's label.
    pub(crate) fn inherit_label(&self, label: Option<Arc<str>>) {
        if label.is_some() {
            self.set_label(label);
        }
    }

    /// Looks at the connection and its label, for tables.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Connection, Option<&Arc<str>>) -> R) -> R {
        let inner = self.lock();
        look(&inner.conn, inner.label())
    }

    /// Looks at the connection; for option getters and tables.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.inspect(|c| c.options().hop_limit), 64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn inspect<R>(&self, look: impl FnOnce(&Connection) -> R) -> R {
        look(&self.lock().conn)
    }

    /// Changes options; takes effect at once.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.set_options(now, |options| {
    ///     options.nodelay = true;
    ///     options.hop_limit = 8;
    /// });
    /// assert!(client.inspect(|c| c.options().nodelay));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_options(
        &self,
        now: Instant,
        change: impl FnOnce(&mut tcp_core::config::SocketOptions),
    ) {
        self.call(|i| {
            i.conn.set_options(now, change);
            self.min_hop_limit.store(i.conn.options().min_hop_limit, Ordering::Relaxed);
            ((), Then::Service)
        });
    }

    /// Lets a congestion controller of the application's own decide how much may be in flight; see
    /// [`Connection::set_controller`].
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::config::Algorithm;
    /// use tcp_core::congestion::Congestion;
    ///
    /// // A built-in one here, that begins with 200,000 octets.
    /// let small = Congestion::with_window(Algorithm::Reno, 1460, 200_000);
    /// client.set_controller(now, Box::new(small));
    /// assert_eq!((client.info().congestion, client.info().congestion_window), ("reno", 200_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_controller(&self, now: Instant, controller: Box<dyn Controller>) {
        self.call(|i| {
            i.conn.set_controller(now, controller);
            ((), Then::Service)
        });
    }

    /// Hops that packets for this connection must have left (`IP_MINTTL`).
    pub(crate) fn min_hop_limit(&self) -> u8 {
        self.min_hop_limit.load(Ordering::Relaxed)
    }

    /// What the peer's SYN said, if the listener keeps it (`TCP_SAVED_SYN`).
    ///
    /// ```
    #[doc = include_str!("../../doc/stack.rs")]
    /// let options = ListenOptions { save_syn: true, ..Default::default() };
    /// let listener = stack.listen("10.0.0.1:443".parse()?, options)?;
    /// stack.connect(now, "10.0.0.1:443".parse()?, ConnectOptions::default())?;
    /// stack.settle(now);
    /// let server = stack.listener_cell(listener).unwrap().try_accept()?.unwrap();
    /// let syn = server.saved_syn().unwrap();
    /// assert!(syn.sack && syn.timestamp.is_some());
    /// assert_eq!(syn.mss, Some(65_495)); // the loopback network's MTU less both headers
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn saved_syn(&self) -> Option<PeerSyn> {
        self.lock().extras.as_ref()?.syn
    }

    pub(crate) fn keep_syn(&self, syn: PeerSyn) {
        self.lock().extras.get_or_insert_default().syn = Some(syn);
    }
}

impl Inner {
    fn label(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.label.as_ref()
    }
}
